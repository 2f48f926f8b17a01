//go:build tools

// What a real API server is made of; go.mod pins it. cluster.py builds these two commands.
package cluster

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
)
