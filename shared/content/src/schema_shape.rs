//! The shape of a schema: its subschemas, and which of them apply to the same value or to a part of it.
//!
//! Bounds what a check may cost before anything is compiled: no schema refers to itself without going deeper, none is a
//! long chain, and none applies thousands of subschemas to one value.

use std::collections::HashMap;

use serde_json::Value;

use crate::{error::Fault, graph, pointer};

/// Levels of objects and lists in data.
pub(crate) const DATA_DEPTH: usize = 64;
/// The only draft that is read.
pub(crate) const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Most subschemas of a schema.
const MOST_SUBSCHEMAS: usize = 4_000;
/// Most patterns of a schema: each may take memory when it is compiled.
const MOST_PATTERNS: usize = 64;
/// Most subschemas one behind the other.
const MOST_IN_A_ROW: usize = 256;
/// Most subschemas that apply to one value.
const MOST_APPLIED: u64 = 500;

/// Keywords that are refused, with the reason.
const REFUSED: [(&str, &str); 9] = [
    ("$id", "a schema has no address of its own here; refer to its parts by #/$defs/name"),
    ("$anchor", "refer to a part by #/$defs/name"),
    ("$dynamicAnchor", "refer to a part by #/$defs/name"),
    ("$dynamicRef", "use $ref with #/$defs/name"),
    ("$recursiveRef", "2020-12 has no such keyword; use $ref"),
    ("$vocabulary", "the vocabulary is that of 2020-12"),
    ("dependencies", "2020-12 has no such keyword; use dependentRequired or dependentSchemas"),
    ("definitions", "2020-12 has no such keyword; use $defs"),
    ("additionalItems", "2020-12 has no such keyword; use prefixItems and items"),
];

/// A subschema.
#[derive(Default)]
struct Part {
    pointer: String,
    /// Subschemas that apply to the same value.
    same: Vec<usize>,
    /// Subschemas of which one applies to a part of the value.
    either: Vec<usize>,
    /// Subschemas that each apply to parts of the value.
    each: Vec<usize>,
    reference: Option<String>,
}

#[derive(Default)]
struct Walk {
    parts: Vec<Part>,
    by_pointer: HashMap<String, usize>,
    patterns: usize,
    faults: Vec<Fault>,
}

/// Returns the faults of a schema's shape.
pub(crate) fn faults(schema: &Value) -> Vec<Fault> {
    let mut walk = Walk::default();
    walk.add(schema, String::new());
    if walk.patterns > MOST_PATTERNS {
        walk.faults.push(Fault::at("", format!("it may have {MOST_PATTERNS} patterns at most")));
    }
    walk.resolve();
    if walk.faults.is_empty() {
        walk.faults.extend(cost(&walk.parts));
    }
    walk.faults
}

impl Walk {
    fn add(&mut self, schema: &Value, at: String) -> usize {
        let index = self.parts.len();
        self.by_pointer.insert(at.clone(), index);
        self.parts.push(Part { pointer: at.clone(), ..Part::default() });
        let Value::Object(fields) = schema else { return index };
        if index == MOST_SUBSCHEMAS {
            self.faults.push(Fault::at("", format!("it may have {MOST_SUBSCHEMAS} subschemas at most")));
        }
        if index >= MOST_SUBSCHEMAS {
            return index;
        }
        for (name, value) in fields {
            let place = pointer::member(&at, name);
            if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| refused == name) {
                self.faults.push(Fault::at(place, *why));
                continue;
            }
            match name.as_str() {
                "$schema" if value != DRAFT => self.faults.push(Fault::at(place, format!("only {DRAFT} is read"))),
                "$ref" => self.parts[index].reference = value.as_str().map(str::to_owned),
                "pattern" => self.patterns += 1,
                "allOf" | "anyOf" | "oneOf" => {
                    let members = self.items(value, &place);
                    self.parts[index].same.extend(members);
                }
                "not" | "if" | "then" | "else" => {
                    let member = self.add(value, place);
                    self.parts[index].same.push(member);
                }
                "dependentSchemas" => {
                    let members = self.members(value, &place);
                    self.parts[index].same.extend(members);
                }
                "properties" => {
                    let members = self.members(value, &place);
                    self.parts[index].either.extend(members);
                }
                "prefixItems" => {
                    let members = self.items(value, &place);
                    self.parts[index].either.extend(members);
                }
                "patternProperties" => {
                    self.patterns += value.as_object().map_or(0, serde_json::Map::len);
                    let members = self.members(value, &place);
                    self.parts[index].each.extend(members);
                }
                "items"
                | "contains"
                | "additionalProperties"
                | "propertyNames"
                | "unevaluatedItems"
                | "unevaluatedProperties" => {
                    let member = self.add(value, place);
                    self.parts[index].each.push(member);
                }
                "$defs" => drop(self.members(value, &place)),
                _ => {}
            }
        }
        index
    }

    fn items(&mut self, value: &Value, at: &str) -> Vec<usize> {
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().enumerate().map(|(index, item)| self.add(item, pointer::item(at, index))).collect()
    }

    fn members(&mut self, value: &Value, at: &str) -> Vec<usize> {
        let Value::Object(members) = value else { return Vec::new() };
        members.iter().map(|(name, member)| self.add(member, pointer::member(at, name))).collect()
    }

    /// Makes each reference lead to its subschema.
    fn resolve(&mut self) {
        for part in &mut self.parts {
            let Some(reference) = &part.reference else { continue };
            match pointer::of_reference(reference).and_then(|to| self.by_pointer.get(&to)) {
                Some(to) => part.same.push(*to),
                None => {
                    let place = pointer::member(&part.pointer, "$ref");
                    self.faults.push(Fault::at(place, "must lead to a schema of this document, like #/$defs/name"));
                }
            }
        }
    }
}

/// Returns the first fault by which a check would not end, or not soon.
fn cost(parts: &[Part]) -> Option<Fault> {
    let same: Vec<_> = parts.iter().map(|part| part.same.clone()).collect();
    let order = graph::parts(&same);
    if let Some(circle) = order.iter().find(|circle| graph::is_circle(circle, &same)) {
        let place = circle.iter().map(|at| &parts[*at].pointer).min()?;
        return Some(Fault::at(place.clone(), "refers to itself for the same value, which no check would end of"));
    }
    if longest(parts) > MOST_IN_A_ROW {
        return Some(Fault::at("", format!("it has more than {MOST_IN_A_ROW} subschemas one behind the other")));
    }
    // Number of subschemas that apply to one value so many levels below: for each subschema, from what is deepest.
    let mut deeper = vec![0_u64; parts.len()];
    for _ in 0..=DATA_DEPTH {
        let mut here = vec![0_u64; parts.len()];
        for at in order.iter().flatten().copied() {
            let part = &parts[at];
            let either = part.either.iter().map(|to| deeper[*to]).max().unwrap_or(0);
            let each = part.each.iter().map(|to| deeper[*to]).fold(either, u64::saturating_add);
            here[at] = part.same.iter().map(|to| here[*to]).fold(each.max(1), u64::saturating_add);
        }
        if here[0] > MOST_APPLIED {
            return Some(Fault::at("", format!("more than {MOST_APPLIED} of its subschemas apply to one value")));
        }
        deeper = here;
    }
    None
}

/// Returns the length of the longest way through the subschemas; a circle counts all its members once.
fn longest(parts: &[Part]) -> usize {
    let all: Vec<_> = parts.iter().map(|part| [&part.same[..], &part.either[..], &part.each[..]].concat()).collect();
    let mut longest = vec![0; parts.len()];
    for circle in graph::parts(&all) {
        let beyond = circle.iter().flat_map(|at| &all[*at]).filter(|to| !circle.contains(to));
        let length = circle.len() + beyond.map(|to| longest[*to]).max().unwrap_or(0);
        circle.iter().for_each(|at| longest[*at] = length);
    }
    longest.into_iter().max().unwrap_or(0)
}
