//go:build yaml

package main

import (
	"encoding/json"

	"gopkg.in/yaml.v2"
)

func init() {
	questions["yaml"] = yamlText
}

// yamlText is a JSON value as YAML, or "several" where that depends on the order in which a map is read: the order of
// keys in yaml.v2 is not transitive (`1:` is before `007`, that before `0b`, and that before `1:`).
func yamlText(args []string) []string {
	var value interface{}
	if err := json.Unmarshal([]byte(args[0]), &value); err != nil {
		return []string{words(err)}
	}
	text, err := yaml.Marshal(value)
	for tries := 0; tries < 20; tries++ {
		if again, _ := yaml.Marshal(value); string(again) != string(text) {
			return []string{"several"}
		}
	}
	return []string{string(text) + words(err)}
}
