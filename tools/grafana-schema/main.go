// Checks dashboards against the schema that Grafana generates its SDK from: which fields a dashboard, its variables, panels and queries have, of
// which types, and which must be there. (Which words a text field may be is not checked: the SDK keeps them as any text.) Prints each fault and ends
// with 1, or ends with 0.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

type part interface {
	UnmarshalJSONStrict(raw []byte) error
	Validate() error
}

// The faults of a part; the SDK gives an empty list, which is not nil, where it has found none.
func faultsOf(place string, value part, raw []byte) []error {
	var faults []error
	for _, err := range []error{value.UnmarshalJSONStrict(raw), value.Validate()} {
		var list cog.BuildErrors
		if errors.As(err, &list) {
			for _, each := range list {
				faults = append(faults, fmt.Errorf("%s: %w", place, each))
			}
		} else if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", place, err))
		}
	}
	return faults
}

func check(name string) []error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return []error{err}
	}
	faults := faultsOf(name, &dashboard.Dashboard{}, raw)
	var board struct{ Panels []json.RawMessage }
	if err := json.Unmarshal(raw, &board); err != nil {
		return append(faults, err)
	}
	for _, panel := range board.Panels {
		faults = append(faults, checkPanel(name, panel)...)
	}
	return faults
}

// A panel by itself: the SDK leaves it out of a dashboard, and does not look for unknown fields in what all types of panels share.
func checkPanel(name string, raw []byte) []error {
	var head struct {
		Type        string
		Title       string
		FieldConfig json.RawMessage
		Panels      []json.RawMessage
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return []error{err}
	}
	place := fmt.Sprintf("%s: panel %q", name, head.Title)
	if head.Type == "row" {
		faults := faultsOf(place, &dashboard.RowPanel{}, raw)
		for _, panel := range head.Panels {
			faults = append(faults, checkPanel(name, panel)...)
		}
		return faults
	}
	if _, known := cog.ConfigForPanelcfgVariant(head.Type); !known {
		return []error{fmt.Errorf("%s: this program knows no panels of type %q", place, head.Type)}
	}
	return append(faultsOf(place, &dashboard.Panel{}, raw), faultsOf(place, &dashboard.FieldConfigSource{}, head.FieldConfig)...)
}

func main() {
	// The SDK takes any JSON for panels and queries whose type it has not been told; to tell it all makes the program long to compile.
	cog.NewRuntime().RegisterPanelcfgVariant(timeseries.VariantConfig())
	cog.NewRuntime().RegisterDataqueryVariant(prometheus.VariantConfig())
	failed := false
	for _, name := range os.Args[1:] {
		for _, fault := range check(name) {
			fmt.Fprintln(os.Stderr, fault)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
