//! JSON that arrives in pieces: kept while it is short; from a certain length on only its figures are picked.

use bytes::Bytes;

use super::{Figures, answer::PICKED, pick::Picker};

/// Length in bytes above which a document is not kept.
const MAX_KEPT_BYTES: usize = 16 << 10;
/// Length in bytes below which parsing a whole document is faster than picking its fields.
const SHORT_BYTES: usize = 2048;

/// One document: the data of an event, or a message.
#[derive(Default)]
pub struct Document {
    kept: Vec<u8>,
    picker: Option<Box<Picker>>,
    picked: Vec<u8>,
}

/// A body of one document, or of several in a row or in a list.
#[derive(Default)]
pub struct JsonBody {
    /// First piece, shared without a copy: most answers have no other.
    first: Bytes,
    picker: Option<Box<Picker>>,
    /// First document, kept until it is known whether there is another.
    only: Vec<u8>,
    is_several: bool,
}

impl Document {
    /// Appends the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        if self.picker.is_none() && self.kept.len() + piece.len() <= MAX_KEPT_BYTES {
            self.kept.extend_from_slice(piece);
            return;
        }
        let picker = self.picker.get_or_insert_with(|| Box::new(Picker::new(PICKED)));
        let picked = &mut self.picked;
        let mut see = |document: &[u8]| {
            picked.clear();
            picked.extend_from_slice(document);
        };
        picker.push(&std::mem::take(&mut self.kept), &mut see);
        picker.push(piece, &mut see);
    }

    /// Returns `true` if no piece has come.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.picker.is_none()
    }

    /// Returns `true` if the document was short enough to be kept whole.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.picker.is_none()
    }

    /// Returns the document, or the fields picked from it.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        if self.picker.is_none() { &self.kept } else { &self.picked }
    }

    /// Begins the next document.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.picked.clear();
        self.picker = None;
    }
}

impl JsonBody {
    /// Appends the next piece and reads the figures of completed documents.
    pub fn push(&mut self, figures: &mut Figures, piece: &Bytes) {
        // White space before the first document says nothing, least of all whether it is one of a list.
        if self.picker.is_none() && is_blank(&self.first) {
            self.first = piece.clone();
            return;
        }
        let first = std::mem::take(&mut self.first);
        self.pick(figures, &first);
        self.pick(figures, piece);
    }

    /// Reads the rest when the last piece has come.
    pub fn finish(&mut self, figures: &mut Figures) {
        let first = std::mem::take(&mut self.first);
        if self.picker.is_none() && first.len() <= SHORT_BYTES && figures.whole(&first) {
            return;
        }
        self.pick(figures, &first);
        if self.is_several || self.only.is_empty() {
            return;
        }
        let only = std::mem::take(&mut self.only);
        // It is not the only one where another had begun.
        if self.picker.as_ref().is_some_and(|picker| picker.is_within()) {
            figures.event(&only);
        } else {
            figures.document(&only);
        }
    }

    /// Returns `true` if the body could not be read to its end.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.picker.as_ref().is_some_and(|picker| picker.is_broken())
    }

    fn pick(&mut self, figures: &mut Figures, piece: &[u8]) {
        let Self { picker, only, is_several, .. } = self;
        if picker.is_none() {
            // The elements of a list are the events of a stream.
            *is_several = piece.trim_ascii_start().starts_with(b"[");
        }
        picker.get_or_insert_with(|| Box::new(Picker::new(PICKED))).push(piece, |document| {
            if !*is_several && only.is_empty() {
                only.extend_from_slice(document);
                return;
            }
            *is_several = true;
            if !only.is_empty() {
                figures.event(&std::mem::take(only));
            }
            figures.event(document);
        });
    }
}

fn is_blank(json: &[u8]) -> bool {
    json.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}
