// Reads manifests from standard input and decodes the kinds of the Prometheus operator, of the Gateway API and of volume
// snapshots strictly into their own types: an unknown field, a wrong type or an unparsable number is an error. Prints how many
// it checked.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

func check(manifest []byte) (bool, error) {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(manifest, &kind); err != nil {
		return false, err
	}
	var into any
	switch kind.APIVersion + "/" + kind.Kind {
	case "monitoring.coreos.com/v1/ServiceMonitor":
		into = &monitoringv1.ServiceMonitor{}
	case "monitoring.coreos.com/v1/PrometheusRule":
		into = &monitoringv1.PrometheusRule{}
	case "gateway.networking.k8s.io/v1/GRPCRoute":
		into = &gatewayv1.GRPCRoute{}
	case "gateway.networking.k8s.io/v1/HTTPRoute":
		into = &gatewayv1.HTTPRoute{}
	case "snapshot.storage.k8s.io/v1/VolumeSnapshot":
		into = &snapshotv1.VolumeSnapshot{}
	case "monitoring.coreos.com/v1alpha1/AlertmanagerConfig":
		into = &monitoringv1alpha1.AlertmanagerConfig{}
	default:
		return false, nil
	}
	if err := yaml.UnmarshalStrict(manifest, into); err != nil {
		return false, fmt.Errorf("%s: %w", kind.Kind, err)
	}
	return true, nil
}

func main() {
	manifests := utilyaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	checked := 0
	for {
		manifest, err := manifests.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		is := false
		if err == nil {
			is, err = check(manifest)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if is {
			checked++
		}
	}
	fmt.Println(checked)
}
