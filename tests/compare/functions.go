package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"text/template"
	"time"

	"compare/memkv"
)

// store holds the leaves that templates see.
var store = map[string]string{}

// render executes a template: its name, its text, then the keys and values of the metadata. The first part of the
// answer is "out", "error" for one while it executes, "parse" for one before that.
func render(args []string) []string {
	store = map[string]string{}
	for place := 2; place+1 < len(args); place += 2 {
		store[args[place]] = args[place+1]
	}
	parsed, err := template.New(args[0]).Funcs(functions).Parse(args[1])
	if err != nil {
		return []string{"parse", err.Error()}
	}
	out := &limited{}
	if err := parsed.Execute(out, nil); err != nil {
		if out.full {
			return []string{"skip", ""}
		}
		return []string{"error", strings.TrimRight(err.Error(), " ")}
	}
	return []string{"out", string(out.text)}
}

// limited is an output that has an end.
type limited struct {
	text []byte
	full bool
}

func (l *limited) Write(text []byte) (int, error) {
	if len(l.text)+len(text) > 1<<20 {
		l.full = true
		return 0, errors.New("too much")
	}
	l.text = append(l.text, text...)
	return len(text), nil
}

var functions = template.FuncMap{
	"exists": func(key string) bool { _, ok := store[key]; return ok },
	"get":    get,
	"getv":   getv,
	"gets":   gets,
	"getvs": func(pattern string) ([]string, error) {
		pairs, err := gets(pattern)
		values := []string{}
		for _, pair := range pairs {
			values = append(values, pair.Value)
		}
		sort.Strings(values)
		return values, err
	},
	"base": path.Base, "dir": path.Dir, "split": strings.Split, "toUpper": strings.ToUpper, "toLower": strings.ToLower,
	"contains": strings.Contains, "replace": strings.Replace, "join": strings.Join,
	"trimSuffix": strings.TrimSuffix, "trimPrefix": strings.TrimPrefix, "quote": strconv.Quote,
	"parseBool": strconv.ParseBool, "atoi": strconv.Atoi,
	"map": makeMap, "dict": makeMap,
	"list": func(values ...interface{}) []interface{} {
		return append([]interface{}{}, values...)
	},
	"json": func(text string) (found map[string]interface{}, err error) {
		err = json.Unmarshal([]byte(text), &found)
		return
	},
	"jsonArray": func(text string) (found []interface{}, err error) {
		err = json.Unmarshal([]byte(text), &found)
		return
	},
	"fromJson": func(text string) (found interface{}, err error) {
		err = json.Unmarshal([]byte(text), &found)
		return
	},
	"toJson": func(value interface{}) (string, error) {
		text, err := json.Marshal(value)
		return string(text), err
	},
	"regexMatch": func(pattern, text string) (bool, error) {
		return regexp.MatchString(pattern, text)
	},
	"regexFind": func(pattern, text string) (string, error) {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return "", err
		}
		return re.FindString(text), nil
	},
	"regexReplaceAll": func(pattern, text, with string) (string, error) {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return "", err
		}
		return re.ReplaceAllString(text, with), nil
	},
	"add": func(a, b interface{}) (interface{}, error) { return arithmetic('+', a, b) },
	"sub": func(a, b interface{}) (interface{}, error) { return arithmetic('-', a, b) },
	"mul": func(a, b interface{}) (interface{}, error) { return arithmetic('*', a, b) },
	"eq":  equal,
	"ne":  func(a, b interface{}) bool { return !equal(a, b) },
	"gt":  func(a, b interface{}) bool { x, y := measured(a, b); return x > y },
	"ge":  func(a, b interface{}) bool { x, y := measured(a, b); return x >= y },
	"lt":  func(a, b interface{}) bool { x, y := measured(a, b); return x < y },
	"le":  func(a, b interface{}) bool { x, y := measured(a, b); return x <= y },
	"getenv": func(name string, others ...string) string {
		if value := os.Getenv(name); value != "" || len(others) == 0 {
			return value
		}
		return others[0]
	},
	"datetime": func() time.Time { return time.Unix(1, 2).In(time.UTC) },
}

func get(key string) (memkv.KVPair, error) {
	value, ok := store[key]
	if !ok {
		return memkv.KVPair{}, fmt.Errorf("key does not exist: %s", key)
	}
	return memkv.KVPair{Key: key, Value: value}, nil
}

func getv(key string, others ...string) (string, error) {
	pair, err := get(key)
	if err != nil && len(others) > 0 {
		return others[0], nil
	}
	return pair.Value, err
}

func gets(pattern string) (memkv.KVPairs, error) {
	found := memkv.KVPairs{}
	for key, value := range store {
		matched, err := filepath.Match(pattern, key)
		if err != nil {
			return nil, err
		}
		if matched {
			found = append(found, memkv.KVPair{Key: key, Value: value})
		}
	}
	sort.Sort(found)
	return found, nil
}

func makeMap(values ...interface{}) (map[string]interface{}, error) {
	if len(values)%2 != 0 {
		return nil, errors.New("invalid map call")
	}
	found := map[string]interface{}{}
	for place := 0; place < len(values); place += 2 {
		key, ok := values[place].(string)
		if !ok {
			return nil, errors.New("map keys must be strings")
		}
		found[key] = values[place+1]
	}
	return found, nil
}

// numeric is the number that a value is or spells: an int64 or a float64, or nil.
func numeric(value interface{}) (interface{}, error) {
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(v.Uint()), nil
	case reflect.Float64:
		return v.Float(), nil
	case reflect.String:
		if strings.Contains(v.String(), ".") {
			return strconv.ParseFloat(v.String(), 64)
		}
		return strconv.ParseInt(v.String(), 10, 64)
	}
	return nil, nil
}

func toFloat(number interface{}) float64 {
	if whole, ok := number.(int64); ok {
		return float64(whole)
	}
	return number.(float64)
}

func arithmetic(operator rune, a, b interface{}) (interface{}, error) {
	var numbers [2]interface{}
	for place, value := range []interface{}{a, b} {
		number, err := numeric(value)
		if err != nil {
			return nil, fmt.Errorf("Can't apply the operator to the value [%s] ,err [%s]", value, err)
		}
		numbers[place] = number
	}
	if numbers[0] == nil || numbers[1] == nil {
		return nil, errors.New("Can't apply the operator to the values")
	}
	x, wholeX := numbers[0].(int64)
	y, wholeY := numbers[1].(int64)
	if toFloat(numbers[0]) == 0 && toFloat(numbers[1]) == 0 {
		return 0, nil
	}
	if wholeX && wholeY {
		return map[rune]int64{'+': x + y, '-': x - y, '*': x * y}[operator], nil
	}
	p, q := toFloat(numbers[0]), toFloat(numbers[1])
	return map[rune]float64{'+': p + q, '-': p - q, '*': p * q}[operator], nil
}

func equal(a, b interface{}) bool {
	p, errP := spelled(a)
	q, errQ := spelled(b)
	if errP == nil && errQ == nil {
		return p == q
	}
	return errP != nil && errQ != nil && reflect.DeepEqual(a, b)
}

// measured is both sides of a comparison as numbers: numeric text, numbers, lengths and times; two other texts by
// their order, anything else as 0.
func measured(a, b interface{}) (float64, float64) {
	x, textX := measure(a)
	y, textY := measure(b)
	if textX && textY {
		return float64(strings.Compare(a.(string), b.(string))), 0
	}
	return x, y
}

func measure(value interface{}) (size float64, text bool) {
	if moment, ok := value.(time.Time); ok {
		return float64(moment.Unix()), false
	}
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.Array:
		return float64(v.Len()), false
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return float64(v.Int()), false
	case reflect.Float64:
		return v.Float(), false
	case reflect.String:
		number, err := strconv.ParseFloat(v.String(), 64)
		return number, err != nil
	}
	return 0, false
}

func spelled(value interface{}) (float64, error) {
	if text, ok := value.(string); ok && (text == "" || !strings.ContainsRune("0123456789+-.", rune(text[0]))) {
		return math.NaN(), errors.New("no number")
	}
	number, err := numeric(value)
	if err != nil || number == nil {
		return math.NaN(), errors.New("no number")
	}
	return toFloat(number), nil
}
