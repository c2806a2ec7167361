//! Schemas: JSON Schema 2020-12, compiled without any network, with regular expressions that run in linear time, and with
//! formats asserted.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::{
    error::{ContentError, Fault, Subject, none_of},
    schema_shape::{self, DATA_DEPTH},
};

/// Largest schema in bytes, as compact JSON.
pub const SCHEMA_BYTES: usize = 64 << 10;
/// Largest data of an entry in bytes, as compact JSON.
pub const DATA_BYTES: usize = 256 << 10;
/// Memory of one compiled pattern.
const PATTERN_BYTES: usize = 256 << 10;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// [`ContentError`] if it is too large, no schema of 2020-12, leads out of the document, or would cost too much.
    pub fn compile(schema: &Value) -> Result<Self, ContentError> {
        check_bytes(schema, Subject::Schema, SCHEMA_BYTES)?;
        if !schema.is_object() {
            return Err(refused(Fault::at("", "must be an object, like {\"type\": \"object\", \"properties\": {}}")));
        }
        none_of(Subject::Schema, schema_shape::faults(schema))?;
        if let Err(error) = jsonschema::draft202012::meta::validate(schema) {
            return Err(refused(Fault::at(error.instance_path().to_string(), error.masked().to_string())));
        }
        let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
        let options = jsonschema::options().with_draft(Draft::Draft202012).offline().should_validate_formats(true);
        let built = options.with_pattern_options(patterns).build(schema);
        let validator = built.map_err(|error| {
            let why = "cannot be compiled: a pattern must be a regular expression without look-around and \
                       back-references, and not too large";
            refused(Fault::at(error.instance_path().to_string(), why))
        })?;
        Ok(Self { validator })
    }

    /// Checks data against the schema.
    ///
    /// # Errors
    /// [`ContentError`] with each place at which it does not fit.
    pub fn check(&self, data: &Value) -> Result<(), ContentError> {
        check_bytes(data, Subject::Data, DATA_BYTES)?;
        check_depth(data, Subject::Data)?;
        none_of(Subject::Data, self.faults(data, ""))
    }

    /// Returns the faults of data that a pointer leads to.
    pub(crate) fn faults(&self, data: &Value, at: &str) -> Vec<Fault> {
        if self.validator.is_valid(data) {
            return Vec::new();
        }
        let errors = self.validator.iter_errors(data).take(20);
        errors.map(|error| Fault::at(format!("{at}{}", error.instance_path()), error.masked().to_string())).collect()
    }
}

/// Checks that something is no larger than it may be.
pub(crate) fn check_bytes(value: &Value, subject: Subject, most: usize) -> Result<(), ContentError> {
    let mut counter = Counter(0);
    // Counting does not fail.
    let _ = serde_json::to_writer(&mut counter, value);
    let Counter(bytes) = counter;
    if bytes > most { Err(ContentError::TooLarge { subject, bytes, most }) } else { Ok(()) }
}

/// Checks that something is no deeper than it may be.
///
/// # Errors
/// [`ContentError`] if it is.
pub fn check_depth(value: &Value, subject: Subject) -> Result<(), ContentError> {
    if depth(value) > DATA_DEPTH {
        return Err(ContentError::one(subject, Fault::at("", format!("may be {DATA_DEPTH} levels deep at most"))));
    }
    Ok(())
}

/// Returns the number of objects and lists one within the other. What was read from text has 128 at most.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn refused(fault: Fault) -> ContentError {
    ContentError::one(Subject::Schema, fault)
}

/// Counts what is written.
struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
