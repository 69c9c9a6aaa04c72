package codeproofs

import "slices"

// shrink removes steps from a schedule that fails, first in large parts and then one by one, while it still fails in the same way.
// It calls try at most so many times.
func shrink(steps []Step, runs int, try func([]Step) *failure) []Step {
	first := try(steps)
	if first == nil {
		return steps
	}
	steps = slices.Clone(steps[:min(max(first.Step+1, 0), len(steps))])
	fails := func(steps []Step) bool {
		runs--
		f := try(steps)
		return f != nil && f.Kind == first.Kind
	}
	for size := max(len(steps)/2, 1); runs > 0; size = max(size/2, 1) {
		removed := false
		for at := len(steps); at > 0 && runs > 0; at -= size {
			without := slices.Delete(slices.Clone(steps), max(at-size, 0), min(at, len(steps)))
			if fails(without) {
				steps, removed = without, true
			}
		}
		if size > 1 {
			continue
		}
		for at := 0; at < len(steps) && runs > 0; at++ {
			if merged := merge(steps, at); merged != nil && fails(merged) {
				steps, removed = merged, true
			}
		}
		if !removed {
			break
		}
	}
	return steps
}

// merge adds the minutes of a step to the next step of the same kind, and removes it. It returns nil if no such step follows.
func merge(steps []Step, at int) []Step {
	next := slices.IndexFunc(steps[at+1:], func(s Step) bool { return s.Op == steps[at].Op })
	if steps[at].Minutes == 0 || next < 0 {
		return nil
	}
	steps = slices.Clone(steps)
	steps[at+1+next].Minutes += steps[at].Minutes
	return slices.Delete(steps, at, at+1)
}
