//! Metering of an answer as it passes: the fields to read, and their form. Never changes what the caller gets, except
//! for figures that the caller did not ask for, URLs that bypass Keyway and quotes of the provider's key.

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use keyway_providers::{Ending, Figures};

use super::{
    caller_side::Caller, decoding::Decoder, links::Links, passage::Passage, reading::Reading, redact::Redactor,
};
use crate::{ledger::record::Record, refusal::shape::Shape, request::path::Route, route::upstream::Upstream};

/// Purpose of reading an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Its figures.
    Figures,
    /// Its figures, unless an earlier call had them.
    Again,
    /// URLs to rewrite.
    Links,
    Nothing,
}

/// Meter of one answer.
pub(crate) enum Meter {
    /// The answer has no figures.
    Silent,
    /// Figures are read as the answer passes.
    Figures(Box<Passage>),
    /// Figures are read from a compressed answer.
    Compressed(Decoder),
    /// The answer has no figures, but URLs that the caller must not follow past Keyway.
    Links(Links),
    /// An error, which may quote the provider's key and has no figures.
    Error(Redactor),
}

impl Reads {
    /// Returns the purpose of reading the answer to a call for which `first` is asked first.
    pub(crate) fn of(method: &Method, route: &Route<'_>, first: &Upstream) -> Self {
        let path = match route {
            Route::Provider { path, .. } | Route::Family(path) => path,
            _ => "",
        };
        if *method == Method::POST {
            Self::Figures
        } else if *method == Method::GET && Shape::of(path) == Shape::Responses {
            // What was made in the background shows its figures when it is read.
            Self::Again
        } else if first.provider.link_field(path).is_some() {
            Self::Links
        } else {
            Self::Nothing
        }
    }

    /// Returns the meter of a good answer with these headers.
    pub(crate) fn meter(self, headers: &HeaderMap, record: &Record, hides_usage: bool) -> Meter {
        let spec = &record.upstream().spec;
        let figures = match self {
            Self::Figures => Figures::new(spec, record.path()),
            Self::Again => Figures::of_reread(spec, record.path()),
            Self::Links => {
                let field = record.upstream().provider.link_field(record.path());
                let is_compressed = headers.contains_key(header::CONTENT_ENCODING);
                return field.filter(|_| !is_compressed).map_or(Meter::Silent, |field| Meter::Links(Links::new(field)));
            }
            Self::Nothing => return Meter::Silent,
        };
        let is_stream = is_kind(headers, "text/event-stream");
        if headers.contains_key(header::CONTENT_ENCODING) {
            let decoder = Decoder::of(headers, Reading::new(figures, is_stream));
            return decoder.map_or(Meter::Silent, Meter::Compressed);
        }
        if ["audio/", "image/", "video/"].iter().any(|kind| is_kind(headers, kind)) {
            return Meter::Silent;
        }
        Meter::Figures(Box::new(Passage::new(figures, is_stream, hides_usage)))
    }
}

impl Meter {
    /// Returns `true` if the body's length may change.
    pub(crate) fn rewrites(&self) -> bool {
        match self {
            Self::Figures(passage) => passage.rewrites(),
            Self::Links(_) => true,
            Self::Silent | Self::Compressed(_) | Self::Error(_) => false,
        }
    }

    /// Returns the caller's part of a chunk.
    pub(super) fn pass(&mut self, data: Bytes) -> Bytes {
        match self {
            Self::Silent => data,
            Self::Figures(passage) => passage.pass(data),
            Self::Compressed(decoder) => {
                decoder.read(&data);
                data
            }
            Self::Links(links) => links.pass(&data),
            Self::Error(redactor) => redactor.pass(data),
        }
    }

    /// Writes the figures read so far into the record. Returns the bytes held back, and how the answer ended.
    pub(super) fn finish(&mut self, record: &mut Record, caller: &Caller) -> (Bytes, Ending) {
        let (held_back, metered, ending) = match self {
            Self::Silent => return (Bytes::new(), Ending::Whole),
            Self::Links(links) => return (links.finish(), Ending::Whole),
            Self::Error(redactor) => return (redactor.finish(), Ending::Whole),
            Self::Figures(passage) => {
                let held_back = passage.finish();
                let figures = &mut passage.reading.figures;
                if let Some(id) = figures.id().filter(|_| caller.has_choice) {
                    caller.owners.keep(record.project_id(), id, record.upstream().integration_id);
                }
                (held_back, figures.take(), passage.ending())
            }
            Self::Compressed(decoder) => {
                let (metered, ending) = decoder.finish();
                (Bytes::new(), metered, ending)
            }
        };
        if let Some(id) = &metered.answer_id
            && !caller.owners.is_first_reading(record.project_id(), id)
        {
            record.hold.used_nothing();
        }
        record.metered(metered);
        (held_back, ending)
    }
}

/// Returns `true` if the content type begins with `kind`.
pub(crate) fn is_kind(headers: &HeaderMap, kind: &str) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.as_bytes().get(..kind.len()))
        .is_some_and(|start| start.eq_ignore_ascii_case(kind.as_bytes()))
}
