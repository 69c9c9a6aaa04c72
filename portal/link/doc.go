// Package link signs and verifies the codes of portal links and connect webviews, and seals the cursors that a portal hands to a browser.
//
// Nothing in this package reads a store. A program that only knows the keys, such as a proxy in front of the portal, can
// therefore refuse forged and expired links:
//
//	signer, err := link.NewSigner(ring)
//	...
//	if _, err := signer.Verify(code, time.Now()); err != nil {
//		// link.ErrForged or link.ErrExpired
//	}
//
// A code that verifies may still belong to a portal that was revoked.
package link
