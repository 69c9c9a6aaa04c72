package data

import (
	"context"
	"fmt"
	"iter"

	"github.com/customerportal-go/customerportal/validation"
)

// ImportOptions changes what an import does.
type ImportOptions struct {
	BatchSize int // resources of a batch; 0 is 1000

	Replace bool // as in PushOptions
	Strict  bool // the same

	Actor Actor // as in PushOptions

	// Progress is told what was done so far after each batch.
	Progress func(ImportReport)
}

// ImportReport is what an import did.
type ImportReport struct {
	CustomerKey     string
	CustomerCreated bool
	Batches         int // that were pushed
	Created         Tally
	Updated         Tally
	Unchanged       Tally
	Warnings        int // in all batches
}

// Done is the number of resources that were pushed.
func (r ImportReport) Done() int { return r.Created.Total() + r.Updated.Total() + r.Unchanged.Total() }

const defaultBatch = 1000

// Import pushes resources that should not be held in memory all at once, in batches.
// Each batch is all or nothing, and is durable before the next one is read; the whole
// is not. Where a batch fails, or resources yields an error, the batches before it
// stay, the report says how many, and the import can be run again: what is there
// already is unchanged. A nil Resource is an [validation.ErrInvalid], and its batch is not pushed.
// The paths of a fault are those within its batch.
//
// A reference to what comes in a later batch is a warning, and links up there; give
// spaces and user identities before access grants, and sites before their spaces.
func (w *Workspace) Import(ctx context.Context, customerKey string, resources iter.Seq2[Resource, error], o ImportOptions) (ImportReport, error) {
	size := o.BatchSize
	if size <= 0 {
		size = defaultBatch
	}
	report := ImportReport{CustomerKey: customerKey}
	batch := CustomerData{CustomerKey: customerKey}
	push := func() error {
		pushed, err := w.PushWith(ctx, batch, PushOptions{Replace: o.Replace, Strict: o.Strict, Actor: o.Actor})
		if err != nil {
			return fmt.Errorf("data: import: batch %d, after %d resources: %w", report.Batches+1, report.Done(), err)
		}
		report.Batches++
		report.CustomerCreated = report.CustomerCreated || pushed.CustomerCreated
		report.Created.sum(pushed.Created)
		report.Updated.sum(pushed.Updated)
		report.Unchanged.sum(pushed.Unchanged)
		report.Warnings += len(pushed.Warnings)
		if o.Progress != nil {
			o.Progress(report)
		}
		batch = CustomerData{CustomerKey: customerKey}
		return nil
	}
	for r, err := range resources {
		if err != nil {
			return report, fmt.Errorf("data: import: after %d resources: %w", report.Done(), err)
		}
		if !batch.tryAdd(r) {
			return report, fmt.Errorf("%w: import: after %d resources: a nil Resource", validation.ErrInvalid, report.Done())
		}
		if batch.Len() == size {
			if err := push(); err != nil {
				return report, err
			}
		}
	}
	if batch.Len() == 0 && report.Batches > 0 {
		return report, nil
	}
	return report, push()
}
