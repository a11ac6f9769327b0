package strict

import (
	"encoding/json"
	"reflect"
	"strings"
)

// A shape is what a type expects of an object. A nil shape expects nothing in
// particular.
type shape struct {
	members  map[string]member
	required []string
}

type member struct {
	shape    *shape // of the member's value, or of the elements of an array
	nullable bool
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// shapeOf returns the shape of a type, nil if it is no struct, or one that
// reads itself.
func shapeOf(t reflect.Type) *shape {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(unmarshaler) {
		return nil
	}
	s := &shape{members: map[string]member{}}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || f.Anonymous {
			panic("strict: " + t.String() + "." + f.Name + " has no plain name on the wire")
		}
		pointer := f.Type.Kind() == reflect.Pointer
		optional := pointer || strings.Contains(options, "omit")
		if !optional {
			s.required = append(s.required, name)
		}
		s.members[name] = member{
			shape:    shapeOf(f.Type),
			nullable: optional && f.Type.Kind() != reflect.Bool,
		}
	}
	return s
}

// lookup returns the member called name. exact is false where only a name in
// another case is known, which package json would take for this one.
func (s *shape) lookup(name string) (m member, known, exact bool) {
	if s == nil {
		return member{}, false, true
	}
	if m, ok := s.members[name]; ok {
		return m, true, true
	}
	for other := range s.members {
		if strings.EqualFold(name, other) {
			return member{}, false, false
		}
	}
	return member{}, false, true
}
