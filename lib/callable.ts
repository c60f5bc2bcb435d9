// SPDX-License-Identifier: Apache-2.0
// Node's classes are functions: programs call them without new, and classes of old inherit by calling them on
// their own instances. Ours can be used the same ways.

// biome-ignore lint/suspicious/noExplicitAny: any class
type Class = new (...args: any[]) => object

/** The object that the next base class constructor takes for its own, instead of making one. */
let adopted: object | undefined

/** `Parent` (one of Node's), as the base of a class that is made callable. */
export function rooted<C extends Class>(Parent: C): C {
    function Root(...args: unknown[]): object {
        if (adopted === undefined) return Reflect.construct(Parent, args, new.target)
        const self = adopted
        adopted = undefined
        Reflect.apply(Parent as unknown as () => void, self, args)
        return self
    }
    Root.prototype = Parent.prototype
    Object.setPrototypeOf(Root, Parent)
    return Root as unknown as C
}

// biome-ignore lint/suspicious/noExplicitAny: ConstructorParameters knows the last of the overloads alone
export type Callable<C extends Class> = C & ((...args: any[]) => InstanceType<C>)

/** The class, with or without new; called on an instance of an heir, that becomes the instance. */
export function callable<C extends Class>(Given: C): Callable<C> {
    const Called = new Proxy(Given, {
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
