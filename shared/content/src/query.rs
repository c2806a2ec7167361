//! Queries of published content: `filter[data.topic][eq]=x`, `sort=-published_at`, `fields=title,data.topic`.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::error::ContentError;

const MOST_CONDITIONS: usize = 10;
const MOST_FIELDS: usize = 30;
const MOST_CHARS: usize = 200;
/// Members of an entry that may be asked for.
const MEMBERS: [&str; 9] =
    ["id", "slug", "title", "locale", "author", "parent_id", "published_at", "version", "updated_at"];

/// Comparison of a field with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Eq,
    Ne,
    Lt,
    Lte,
    Gt,
    Gte,
    In,
    Contains,
    Exists,
}

impl Comparison {
    const ALL: [(&'static str, Self); 9] = [
        ("eq", Self::Eq),
        ("ne", Self::Ne),
        ("lt", Self::Lt),
        ("lte", Self::Lte),
        ("gt", Self::Gt),
        ("gte", Self::Gte),
        ("in", Self::In),
        ("contains", Self::Contains),
        ("exists", Self::Exists),
    ];
}

/// One condition on entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    field: String,
    comparison: Comparison,
    value: String,
}

/// Order of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    field: String,
    descending: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self { field: "published_at".to_owned(), descending: true }
    }
}

/// A query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Conditions, all of which hold.
    pub conditions: Vec<Condition>,
    /// Order.
    pub order: Order,
    /// Fields to show; empty: all.
    pub fields: Vec<String>,
    /// Other parameters, as they came: those that are not about entries.
    pub others: Vec<(String, String)>,
}

impl Query {
    /// Reads the parameters of a request.
    ///
    /// # Errors
    /// [`ContentError::Query`] naming the parameter that cannot be used.
    pub fn read<'q>(parameters: impl Iterator<Item = (&'q str, &'q str)>) -> Result<Self, ContentError> {
        let mut query = Self::default();
        for (name, value) in parameters {
            if value.chars().count() > MOST_CHARS {
                return Err(refused(format!("`{}` may have {MOST_CHARS} characters at most", shown(name))));
            }
            match name {
                "sort" => query.order = order(value)?,
                "fields" => query.fields = fields(value)?,
                name if name.starts_with("filter") => query.conditions.push(condition(name, value)?),
                name => query.others.push((name.to_owned(), value.to_owned())),
            }
        }
        if query.conditions.len() > MOST_CONDITIONS {
            return Err(refused(format!("there may be {MOST_CONDITIONS} filters at most")));
        }
        Ok(query)
    }

    /// Returns `true` if all conditions hold for an entry.
    #[must_use]
    pub fn holds(&self, entry: &Value) -> bool {
        self.conditions.iter().all(|condition| condition.holds(entry))
    }
}

impl Order {
    /// Returns an entry's value in this order.
    #[must_use]
    pub fn key(&self, entry: &Value) -> Value {
        at(entry, &self.field).cloned().unwrap_or(Value::Null)
    }

    /// Compares two entries by their values and their ids: those without a value come last, either way.
    #[must_use]
    pub fn compare(&self, one: (&Value, &str), other: (&Value, &str)) -> Ordering {
        let by_value = match (one.0, other.0) {
            (Value::Null, Value::Null) => Ordering::Equal,
            (Value::Null, _) => return Ordering::Greater,
            (_, Value::Null) => return Ordering::Less,
            (one, other) => ordered(one, other),
        };
        let ordering = by_value.then_with(|| one.1.cmp(other.1));
        if self.descending { ordering.reverse() } else { ordering }
    }
}

impl Condition {
    fn holds(&self, entry: &Value) -> bool {
        let found = at(entry, &self.field).filter(|value| !value.is_null());
        if self.comparison == Comparison::Exists {
            return found.is_some() == (self.value == "true");
        }
        let Some(found) = found else { return self.comparison == Comparison::Ne };
        // Of a list, one item has to fit.
        match found {
            Value::Array(items) if self.comparison == Comparison::Ne => items.iter().all(|item| self.fits(item)),
            Value::Array(items) => items.iter().any(|item| self.fits(item)),
            single => self.fits(single),
        }
    }

    fn fits(&self, found: &Value) -> bool {
        let is = |text: &str| compared(found, text) == Some(Ordering::Equal);
        match self.comparison {
            Comparison::Eq => is(&self.value),
            Comparison::Ne => !is(&self.value),
            Comparison::Lt => compared(found, &self.value) == Some(Ordering::Less),
            Comparison::Lte => matches!(compared(found, &self.value), Some(Ordering::Less | Ordering::Equal)),
            Comparison::Gt => compared(found, &self.value) == Some(Ordering::Greater),
            Comparison::Gte => matches!(compared(found, &self.value), Some(Ordering::Greater | Ordering::Equal)),
            Comparison::In => self.value.split(',').any(is),
            Comparison::Contains => {
                found.as_str().is_some_and(|text| text.to_lowercase().contains(&self.value.to_lowercase()))
            }
            Comparison::Exists => true,
        }
    }
}

/// Returns an entry with these fields alone; with all of them if none is named.
#[must_use]
pub fn projected(entry: &Value, fields: &[String]) -> Value {
    if fields.is_empty() {
        return entry.clone();
    }
    let mut shown = Map::new();
    for field in fields {
        let Some(value) = at(entry, field) else { continue };
        let mut parts = field.split('.').peekable();
        let mut target = &mut shown;
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                target.insert(part.to_owned(), value.clone());
                break;
            }
            let next = target.entry(part).or_insert_with(|| Value::Object(Map::new()));
            let Some(next) = next.as_object_mut() else { break };
            target = next;
        }
    }
    Value::Object(shown)
}

fn condition(name: &str, value: &str) -> Result<Condition, ContentError> {
    let names = Comparison::ALL.map(|(name, _)| name).join(", ");
    let form = || refused(format!("`{}`: write filter[field][comparison] with one of {names}", shown(name)));
    let inner = name.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']')).ok_or_else(form)?;
    let (field, comparison) = inner.split_once("][").ok_or_else(form)?;
    let comparison = Comparison::ALL.into_iter().find(|(known, _)| *known == comparison).ok_or_else(form)?.1;
    if comparison == Comparison::Exists && !matches!(value, "true" | "false") {
        return Err(refused(format!("`{}` is true or false", shown(name))));
    }
    Ok(Condition { field: self::field(field)?, comparison, value: value.to_owned() })
}

fn order(text: &str) -> Result<Order, ContentError> {
    let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    Ok(Order { field: field(name)?, descending })
}

fn fields(text: &str) -> Result<Vec<String>, ContentError> {
    let fields: Vec<String> = text.split(',').map(|name| field(name.trim())).collect::<Result<_, _>>()?;
    if fields.len() > MOST_FIELDS {
        return Err(refused(format!("`fields` may name {MOST_FIELDS} fields at most")));
    }
    Ok(fields)
}

/// Returns the name of a field that entries may have.
fn field(name: &str) -> Result<String, ContentError> {
    let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    let is_own = matches!(name, "data" | "metadata") || MEMBERS.contains(&name);
    let is_deep = name.split_once('.').is_some_and(|(first, rest)| {
        matches!(first, "data" | "metadata") && rest.split('.').count() <= 8 && rest.split('.').all(part)
    });
    if is_own || is_deep {
        return Ok(name.to_owned());
    }
    let members = MEMBERS.join(", ");
    Err(refused(format!("`{}` is no field; the fields are {members}, data.<name> and metadata.<name>", shown(name))))
}

fn at<'v>(entry: &'v Value, field: &str) -> Option<&'v Value> {
    field.split('.').try_fold(entry, |value, part| value.get(part))
}

/// Compares what an entry has with a text, as what the entry has.
fn compared(found: &Value, text: &str) -> Option<Ordering> {
    match found {
        Value::Number(number) => number.as_f64()?.partial_cmp(&text.parse().ok()?),
        Value::String(own) => Some(own.as_str().cmp(text)),
        Value::Bool(own) => Some(own.cmp(&text.parse().ok()?)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn ordered(one: &Value, other: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Bool(_) => 0,
        Value::Number(_) => 1,
        Value::String(_) => 2,
        _ => 3,
    };
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal)
        }
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        _ => rank(one).cmp(&rank(other)),
    }
}

/// Returns the name of a parameter to repeat in a message.
fn shown(name: &str) -> &str {
    if name.len() <= 64 { name } else { "(a long name)" }
}

fn refused(message: String) -> ContentError {
    ContentError::Query(message)
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
