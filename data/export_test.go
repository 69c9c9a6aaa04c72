package data

// PlanOnSnapshots makes the workspace plan each push, sync and delete on a snapshot, as it
// does with large ones.
func (w *Workspace) PlanOnSnapshots() *Workspace {
	w.shortPlan = 0
	return w
}
