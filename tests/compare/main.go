// Answers questions about Go for tests/it/compare: one question a line, its parts in hexadecimal and separated by
// spaces; one answer a line, likewise. Uses nothing but Go's standard library.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// questions maps the first part of a question to what answers it.
var questions = map[string]func(args []string) []string{
	"unicode":  func([]string) []string { return []string{unicode.Version} },
	"render":   render,
	"pattern":  pattern,
	"regexp":   expression,
	"float":    float,
	"integer":  integer,
	"quote":    quote,
	"case":     letters,
	"path":     paths,
	"time":     moment,
	"duration": duration,
	"json":     jsonText,
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		var parts []string
		for _, part := range strings.Split(strings.TrimSuffix(line, "\n"), " ") {
			text, err := hex.DecodeString(part)
			if err != nil {
				panic(err)
			}
			parts = append(parts, string(text))
		}
		for place, part := range questions[parts[0]](parts[1:]) {
			if place > 0 {
				out.WriteByte(' ')
			}
			out.WriteString(hex.EncodeToString([]byte(part)))
		}
		out.WriteByte('\n')
		if in.Buffered() == 0 {
			out.Flush()
		}
	}
}

func number(text string) int64 {
	found, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return found
}

// words is an error as the answer shows it.
func words(err error) string {
	if err == nil {
		return ""
	}
	return "error: " + err.Error()
}

func pattern(args []string) []string {
	matched, err := filepath.Match(args[0], args[1])
	return []string{fmt.Sprint(matched) + words(err)}
}

func expression(args []string) []string {
	re, err := regexp.Compile(args[0])
	if err != nil {
		return []string{words(err)}
	}
	text := args[1]
	return []string{fmt.Sprint(re.MatchString(text)), re.FindString(text), re.ReplaceAllString(text, args[2])}
}

func float(args []string) []string {
	bits, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		panic(err)
	}
	number := math.Float64frombits(bits)
	var found []string
	for _, verb := range "eEfgGbxX" {
		for _, precision := range []int{-1, 0, 1, 5, 17, 25} {
			found = append(found, strconv.FormatFloat(number, byte(verb), precision, 64))
		}
	}
	return found
}

func integer(args []string) []string {
	var found []string
	add := func(value interface{}, err error) {
		if err != nil {
			value = ""
		}
		found = append(found, fmt.Sprint(value)+words(err))
	}
	for _, base := range []int{0, 2, 8, 10, 16} {
		signed, err := strconv.ParseInt(args[0], base, 64)
		add(signed, err)
		unsigned, err := strconv.ParseUint(args[0], base, 64)
		add(unsigned, err)
	}
	float, err := strconv.ParseFloat(args[0], 64)
	if math.IsNaN(float) {
		float = 0
	}
	add(math.Float64bits(float), err)
	truth, err := strconv.ParseBool(args[0])
	add(truth, err)
	return found
}

func quote(args []string) []string {
	text := args[0]
	found := []string{strconv.Quote(text), strconv.QuoteToASCII(text), fmt.Sprint(strconv.CanBackquote(text))}
	unquoted, err := strconv.Unquote(text)
	return append(found, unquoted+words(err))
}

func letters(args []string) []string {
	found := []string{strings.ToUpper(args[0]), strings.ToLower(args[0]), ""}
	for _, r := range args[0] {
		is := fmt.Sprint(unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsPrint(r), unicode.IsUpper(r), unicode.IsLower(r))
		found[2] += fmt.Sprintf("%s %d\n", is, unicode.SimpleFold(r))
	}
	return found
}

func paths(args []string) []string {
	return []string{path.Clean(args[0]), path.Dir(args[0]), path.Base(args[0])}
}

// moment is a time in a zone, printed by a layout, and moved.
func moment(args []string) []string {
	zone, err := time.LoadLocation(args[0])
	if err != nil {
		return []string{words(err)}
	}
	at := time.Unix(number(args[1]), number(args[2])).In(zone)
	step := time.Duration(number(args[4]))
	json, _ := at.MarshalJSON()
	return []string{
		at.Format(args[3]), at.String(), at.AddDate(1, -3, 40).String(), at.Truncate(step).String(),
		at.Round(step).String(), at.Add(step).String(), fmt.Sprint(at.YearDay(), at.Weekday(), at.IsDST()),
		string(json), at.Location().String(),
	}
}

func duration(args []string) []string {
	found, err := time.ParseDuration(args[0])
	parsed := fmt.Sprint(int64(found))
	if err != nil {
		parsed = "none"
	}
	nanos := time.Duration(number(args[1]))
	return []string{parsed, nanos.String(), fmt.Sprint(nanos.Hours(), nanos.Minutes(), nanos.Seconds())}
}

func jsonText(args []string) []string {
	var value interface{}
	if err := json.Unmarshal([]byte(args[0]), &value); err != nil {
		return []string{words(err)}
	}
	short, err := json.Marshal(value)
	if err != nil {
		return []string{words(err)}
	}
	var long bytes.Buffer
	json.Indent(&long, short, "", "  ")
	return []string{string(short), long.String()}
}
