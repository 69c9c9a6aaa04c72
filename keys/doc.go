// Package keys holds the master keys of a program and derives all other keys from them.
//
// A master is 32 random bytes that the program stores with its other secrets. A [Ring] holds up to 32 masters, each in a
// numbered slot. One slot is active: new links are signed and new values are sealed (encrypted) with its master. The masters
// of the other slots still verify the links and open the values that were signed and sealed with them before.
//
// To rotate a master:
//
//  1. Add a new master in a free slot, on every process. The old slot stays active.
//  2. Make the new slot active, on every process.
//  3. Remove the old slot when its last link has expired and no sealed value uses it.
//
// No key is used for two purposes: each [Purpose] has its own key, derived from the master with HKDF-SHA256 (RFC 5869)
// without a salt and with the purpose as info.
package keys
