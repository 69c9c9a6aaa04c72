package data

import (
	"context"
	"fmt"
	"iter"

	"github.com/customerportal-go/customerportal/validation"
)

// ImportOptions configures an import.
type ImportOptions struct {
	BatchSize int // the number of resources in a batch; 0 means 1000

	Replace bool // see PushOptions.Replace
	Strict  bool // see PushOptions.Strict

	Actor Actor // see PushOptions.Actor

	// Progress, if it is not nil, is called after each batch with the report so far.
	Progress func(ImportReport)
}

// ImportReport is the result of an import: the totals of its batches.
type ImportReport struct {
	CustomerKey     string
	CustomerCreated bool
	Batches         int // the number of batches that were pushed
	Created         Tally
	Updated         Tally
	Unchanged       Tally
	Warnings        int // the number of warnings in all batches
}

// Done returns the number of resources that were pushed.
func (r ImportReport) Done() int { return r.Created.Total() + r.Updated.Total() + r.Unchanged.Total() }

const defaultBatchSize = 1000

// Import pushes resources in batches, so that the caller need not hold all of them in memory. Each batch is pushed
// completely or not at all, and is committed before Import reads the next one. The import as a whole is not atomic: if a
// batch fails or resources yields an error, the batches before it stay, and the report has their totals. The caller can run
// the import again; resources that are already stored are unchanged. A nil Resource is an error that matches
// [validation.ErrInvalid], and its batch is not pushed. Paths in a [validation.Error] are relative to the batch.
//
// A reference to a resource in a later batch is a warning, and resolves once that batch is pushed. To avoid such warnings,
// yield sites before other spaces, and spaces and user identities before access grants.
func (w *Workspace) Import(ctx context.Context, customerKey string, resources iter.Seq2[Resource, error], o ImportOptions) (ImportReport, error) {
	size := o.BatchSize
	if size <= 0 {
		size = defaultBatchSize
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
