package main

import (
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage"
)

func open(store storage.Store) *data.Workspace {
	return data.Open(store, data.Options{}).Workspace(workspaceID)
}
