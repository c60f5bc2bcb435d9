// SPDX-License-Identifier: Apache-2.0
// Node's classes are functions: programs call them without new, and classes of old inherit by calling them on
// their own instances. Ours can be used the same ways.

// biome-ignore lint/suspicious/noExplicitAny: any class
type Class = new (...args: any[]) => object

/** The object that the next base class constructor takes for its own, instead of making one. */
let adopted: object | undefined

/**
 * `Parent` (one of Node's), as the base of a class that is made callable. A class, not a function: a function
 * would make an object of its own before it returns ours, and V8 remembers for the heir one shape at a time
 * - so that each instance would get a shape that no other has, and no look-up of a property a cache.
 */
export function rooted<C extends Class>(Parent: C): C {
    // biome-ignore lint/suspicious/noExplicitAny: a mixin's constructor takes what its base takes
    const Base = Parent as unknown as new (...args: any[]) => object
    class Root extends Base {
        // biome-ignore lint/correctness/noUnreachableSuper: what is returned instead is Parent's
        constructor(...args: unknown[]) {
            if (adopted === undefined) {
                super(...args)
            } else {
                const self = adopted
                adopted = undefined
                Reflect.apply(Parent as unknown as () => void, self, args)
                // biome-ignore lint/correctness/noConstructorReturn: the instance to build on
                return self
            }
        }
    }
    return Root as unknown as C
}

// biome-ignore lint/suspicious/noExplicitAny: ConstructorParameters knows the last of the overloads alone
export type Callable<C extends Class> = C & ((...args: any[]) => InstanceType<C>)

/** The class, with or without new; called on an instance of an heir, that becomes the instance. */
export function callable<C extends Class>(Given: C): Callable<C> {
    const Called: C = new Proxy(Given, {
        // The class itself for a new.target: objects of a Proxy would each get a shape of their own, too.
        construct(_target, args, heir) {
            return Reflect.construct(Given, args, heir === Called ? Given : heir)
        },
        apply(_target, self, args) {
            if (!(self instanceof Given)) return Reflect.construct(Given, args)
            adopted = self
            try {
                return Reflect.construct(Given, args)
            } finally {
                adopted = undefined
            }
        },
    })
    Object.defineProperty(Given.prototype, 'constructor', {
        value: Called,
        writable: true,
        configurable: true,
    })
    return Called as Callable<C>
}
