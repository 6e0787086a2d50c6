"""Ed25519 after RFC 8032, with ZIP-215's rules for checking: short, slow, standard library only."""

import hashlib

P = 2**255 - 19
# Order of the subgroup that the base point generates.
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


def add(a, b):
    """Sum of two points in extended coordinates (RFC 8032, 5.1.4)."""
    k = (a[1] - a[0]) * (b[1] - b[0]) % P
    l = (a[1] + a[0]) * (b[1] + b[0]) % P
    m = 2 * a[3] * b[3] * D % P
    n = 2 * a[2] * b[2] % P
    e, f, g, h = l - k, n - m, n + m, l + k
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, point):
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def equal(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def recover(y, sign):
    """The point with this y, or None. As ZIP-215 wants it, y need not be reduced, and 0 may be signed."""
    y %= P
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_M1 % P
    if (x * x - square) % P:
        return None
    if x & 1 != sign:
        x = -x % P
    return (x, y, 1, x * y % P)


BASE = recover(4 * pow(5, P - 2, P), 0)


def encode(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(data):
    y = int.from_bytes(data, "little")
    return recover(y & (1 << 255) - 1, y >> 255)


def challenge(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def expand(seed):
    """The secret scalar and the prefix of the nonce's hash."""
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    return scalar, digest[32:]


def public_key(seed):
    return encode(multiply(expand(seed)[0], BASE))


def sign(seed, message):
    scalar, prefix = expand(seed)
    key = encode(multiply(scalar, BASE))
    nonce = challenge(prefix, message)
    r = encode(multiply(nonce, BASE))
    s = (nonce + challenge(r, key, message) * scalar) % L
    return r + s.to_bytes(32, "little")


def verify(key, message, signature):
    """ZIP-215: 8 S B = 8 R + 8 k A, and S below the order."""
    a, r, s = decode(key), decode(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = challenge(signature[:32], key, message)
    return equal(multiply(8 * s, BASE), multiply(8, add(r, multiply(k, a))))
