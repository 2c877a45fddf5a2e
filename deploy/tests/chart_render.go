// As much of Helm's renderer as the chart uses, for machines without Helm: Go's own text/template and sprig, which are
// Helm's, and the functions and objects that Helm adds to them. With Debian's packages:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run chart_render.go CHART VALUES.json
//
// VALUES.json are the values that differ, as `--values` gives them. The documents come out as Helm would print them.
// It does not know: hooks, lookup, conditions and aliases of dependencies, .helmignore.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v3"
)

type values = map[string]interface{}

// Files is what .Files offers.
type Files struct{ directory string }

func (f Files) Get(name string) string {
	content, err := os.ReadFile(filepath.Join(f.directory, name))
	if err != nil {
		return "" // as Helm does
	}
	return string(content)
}

// APIVersions is what .Capabilities.APIVersions offers.
type APIVersions struct{}

func (APIVersions) Has(string) bool { return true }

func main() {
	if len(os.Args) != 3 {
		fail("usage: chart_render CHART VALUES.json")
	}
	given := values{}
	content, err := os.ReadFile(os.Args[2])
	check(err)
	check(json.Unmarshal(content, &given))

	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(functions(all))
	var manifests []manifest
	scope(all, os.Args[1], given, &manifests)
	sort.SliceStable(manifests, func(i, j int) bool { return manifests[i].name < manifests[j].name })
	for _, each := range manifests {
		var out bytes.Buffer
		check(all.ExecuteTemplate(&out, each.name, each.scope))
		text := strings.TrimSpace(strings.ReplaceAll(out.String(), "<no value>", ""))
		if text != "" {
			fmt.Printf("---\n# Source: %s\n%s\n", each.name, text)
		}
	}
}

type manifest struct {
	name  string
	scope values
}

// Reads a chart and those below its charts/, and returns what `.` is in its templates.
func scope(all *template.Template, directory string, given values, manifests *[]manifest) values {
	chart, defaults := readYAML(directory, "Chart.yaml"), readYAML(directory, "values.yaml")
	merged := merge(defaults, given)
	metadata := values{"Name": chart["name"], "Version": chart["version"], "AppVersion": chart["appVersion"]}
	self := values{
		"Values":       merged,
		"Chart":        metadata,
		"Release":      values{"Name": "test", "Namespace": "default", "Service": "Helm", "IsInstall": true, "IsUpgrade": false, "Revision": 1},
		"Capabilities": values{"APIVersions": APIVersions{}, "KubeVersion": values{"Version": "v1.30.0", "Major": "1", "Minor": "30"}},
		"Files":        Files{directory},
	}
	children := values{}
	found, _ := filepath.Glob(filepath.Join(directory, "charts", "*"))
	for _, each := range found {
		name := fmt.Sprint(readYAML(each, "Chart.yaml")["name"])
		its, _ := merged[name].(values)
		children[name] = scope(all, each, its, manifests)
	}
	self["Subcharts"] = children
	paths, _ := filepath.Glob(filepath.Join(directory, "templates", "*"))
	for _, path := range paths {
		content, err := os.ReadFile(path)
		check(err)
		name := filepath.Join(fmt.Sprint(chart["name"]), "templates", filepath.Base(path))
		_, err = all.New(name).Parse(string(content))
		check(err)
		if strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, "NOTES.txt") && os.Getenv("NOTES") != "" {
			*manifests = append(*manifests, manifest{name, self})
		}
	}
	return self
}

func functions(all *template.Template) template.FuncMap {
	added := sprig.TxtFuncMap()
	delete(added, "env") // Helm has neither
	delete(added, "expandenv")
	added["include"] = func(name string, data interface{}) (string, error) {
		var out bytes.Buffer
		err := all.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	added["toYaml"] = func(value interface{}) string {
		var out bytes.Buffer
		encoder := yaml.NewEncoder(&out)
		encoder.SetIndent(2)
		check(encoder.Encode(value))
		return strings.TrimSuffix(out.String(), "\n")
	}
	added["required"] = func(message string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, fmt.Errorf("%s", message)
		}
		return value, nil
	}
	return added
}

// What is given wins; maps are merged, null removes.
func merge(defaults, given values) values {
	merged := values{}
	for name, value := range defaults {
		merged[name] = value
	}
	for name, value := range given {
		present, ok := merged[name].(values)
		if inner, isMap := value.(values); ok && isMap {
			merged[name] = merge(present, inner)
		} else if value == nil {
			delete(merged, name)
		} else {
			merged[name] = value
		}
	}
	return merged
}

func readYAML(directory, name string) values {
	content, err := os.ReadFile(filepath.Join(directory, name))
	check(err)
	read := values{}
	check(yaml.Unmarshal(content, &read))
	return read
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}
