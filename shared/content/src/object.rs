//! Reading of documents of others, field by field, with a fault for each that is not as it has to be.

use serde_json::{Map, Value};

use crate::{
    error::{ContentError, Fault, Subject, none_of},
    pointer,
};

/// Faults after which reading on tells nobody more.
const ENOUGH: usize = 20;

/// Faults found so far.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        if self.0.len() < ENOUGH {
            self.0.push(Fault::at(pointer, message));
        }
    }

    pub(crate) fn extend(&mut self, faults: Vec<Fault>) {
        faults.into_iter().for_each(|fault| self.add(fault.pointer, fault.message));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn are_enough(&self) -> bool {
        self.0.len() >= ENOUGH
    }

    pub(crate) fn end(self, subject: Subject) -> Result<(), ContentError> {
        none_of(subject, self.0)
    }

    /// Returns an object, or notes that it is none.
    pub(crate) fn object<'v>(&mut self, value: &'v Value, at: &str) -> Option<&'v Map<String, Value>> {
        let object = value.as_object();
        if object.is_none() {
            self.add(at, "must be an object");
        }
        object
    }

    /// Returns the items of a member that is a list; none if it is left out.
    pub(crate) fn items<'v>(&mut self, of: &'v Map<String, Value>, name: &str, at: &str) -> &'v [Value] {
        match of.get(name) {
            None => &[],
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.add(pointer::member(at, name), "must be a list");
                &[]
            }
        }
    }

    /// Returns a member that is a text of 1 to 200 characters, or notes that it is none.
    pub(crate) fn text<'v>(&mut self, of: &'v Map<String, Value>, name: &str, at: &str) -> Option<&'v str> {
        let text = of.get(name).and_then(Value::as_str).filter(|text| (1..=200).contains(&text.chars().count()));
        if text.is_none() {
            self.add(pointer::member(at, name), "must be a text of 1 to 200 characters");
        }
        text
    }

    /// Notes that a member is no finite number.
    pub(crate) fn number(&mut self, of: &Map<String, Value>, name: &str, at: &str) -> Option<f64> {
        let number = of.get(name).and_then(Value::as_f64).filter(|number| number.is_finite());
        if number.is_none() {
            self.add(pointer::member(at, name), "must be a finite number");
        }
        number
    }

    /// Returns the numbers of a member that is a list of so many of them; `None` if it is left out or not as it has to be.
    pub(crate) fn numbers(
        &mut self,
        of: &Map<String, Value>,
        (name, count): (&str, usize),
        at: &str,
    ) -> Option<Vec<f64>> {
        let place = pointer::member(at, name);
        let value = of.get(name)?;
        let Some(items) = value.as_array().filter(|items| items.len() == count) else {
            self.add(place, format!("must be a list of {count} numbers"));
            return None;
        };
        let numbers: Vec<_> = items.iter().filter_map(Value::as_f64).filter(|number| number.is_finite()).collect();
        if numbers.len() < count {
            self.all_numbers(items, &place);
            return None;
        }
        Some(numbers)
    }

    /// Notes each item that is no finite number: JSON has null where JavaScript had NaN or an infinity.
    pub(crate) fn all_numbers(&mut self, items: &[Value], at: &str) {
        for (index, item) in items.iter().enumerate() {
            if !item.as_f64().is_some_and(f64::is_finite) {
                self.add(pointer::item(at, index), "must be a finite number");
                if self.are_enough() {
                    return;
                }
            }
        }
    }

    /// Notes a rotation that is no unit quaternion.
    pub(crate) fn unit(&mut self, of: &Map<String, Value>, name: &str, at: &str) {
        let Some(numbers) = self.numbers(of, (name, 4), at) else { return };
        let length: f64 = numbers.iter().map(|number| number * number).sum::<f64>().sqrt();
        if (length - 1.0).abs() > 1e-3 {
            self.add(pointer::member(at, name), "must be a unit quaternion: divide each part by its length");
        }
    }
}
