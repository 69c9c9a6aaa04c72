// Package smalldisk lets a test binary run as another process on a small disk of its own. Only tests import it.
//
// The disk is a tmpfs in a user namespace, so the tests need no privileges, and other processes do not see it. Only Linux has
// user namespaces.
package smalldisk
