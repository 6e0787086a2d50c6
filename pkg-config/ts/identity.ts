// A device's key that the application keeps itself.

import { IsorootError } from "./errors.js";

/**
 * The secret key of a device. Whoever has it is that device. It is never printed: not by `console.log`, not
 * as JSON, not in an error.
 */
export class Identity {
  readonly #seed: Uint8Array;

  /** The identity of 32 secret, uniformly random bytes: the seed of an Ed25519 key. They are copied. */
  constructor(seed: Uint8Array) {
    if (!(seed instanceof Uint8Array) || seed.length !== 32) {
      throw new IsorootError("INVALID_IDENTITY", "an identity is made of 32 secret bytes, in a Uint8Array");
    }
    this.#seed = seed.slice();
  }

  /** A new one, from the random bytes of the system. */
  static generate(): Identity {
    return new Identity(crypto.getRandomValues(new Uint8Array(32)));
  }

  /** A copy of the secret bytes, to keep them where nobody else gets at them. */
  exposeSeed(): Uint8Array {
    return this.#seed.slice();
  }
}

/** A copy of the seed, which its user wipes. Of another copy of the package's class as well. @internal */
export function seedOf(identity: Identity | Uint8Array | undefined): Uint8Array | undefined {
  if (identity === undefined) return undefined;
  const seed = typeof (identity as Identity)?.exposeSeed === "function" ? (identity as Identity).exposeSeed() : identity;
  return new Identity(seed as Uint8Array).exposeSeed();
}
