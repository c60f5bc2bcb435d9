// SPDX-License-Identifier: Apache-2.0
// Calls at random, with arguments of every kind: each is answered, and nothing stays.
import { fuzz } from './fuzz.js'

fuzz()
