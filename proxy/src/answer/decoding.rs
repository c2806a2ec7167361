//! Reads the figures of an answer that is compressed although Keyway did not ask for that. The bytes pass unchanged;
//! they are decoded on the side, in small pieces that are not kept.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use bytes::Bytes;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use keyway_providers::{Ending, Metered};

use super::reading::Reading;

/// Largest decoded size in bytes; figures of a larger answer are unknown.
const MAX_DECODED_BYTES: usize = 256 << 20;
const BROTLI_BUFFER_BYTES: usize = 16 << 10;

/// The decoder of one answer, with its reading.
pub(crate) enum Decoder {
    Gzip(Box<MultiGzDecoder<Decoded>>),
    Deflate(Box<ZlibDecoder<Decoded>>),
    Brotli(Box<DecompressorWriter<Decoded>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Decoded>>),
}

/// A reading of decoded bytes.
pub(crate) struct Decoded {
    reading: Reading,
    left_bytes: usize,
    has_failed: bool,
}

impl Decoder {
    /// Returns the decoder for the encoding of an answer; `None` if it has none, an unknown one, or several.
    pub(crate) fn of(headers: &HeaderMap, reading: Reading) -> Option<Self> {
        let encoding = headers.get(header::CONTENT_ENCODING)?.to_str().ok()?.trim().to_ascii_lowercase();
        let into = Decoded { reading, left_bytes: MAX_DECODED_BYTES, has_failed: false };
        match encoding.as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip(Box::new(MultiGzDecoder::new(into)))),
            "deflate" => Some(Self::Deflate(Box::new(ZlibDecoder::new(into)))),
            "br" => Some(Self::Brotli(Box::new(DecompressorWriter::new(into, BROTLI_BUFFER_BYTES)))),
            "zstd" => Some(Self::Zstd(Box::new(zstd::stream::write::Decoder::new(into).ok()?))),
            _ => None,
        }
    }

    /// Reads a chunk of the answer.
    pub(crate) fn read(&mut self, chunk: &[u8]) {
        if self.decoded().has_failed {
            return;
        }
        let written = self.writer().write_all(chunk);
        self.decoded().has_failed |= written.is_err();
    }

    /// Returns the figures, and how the answer ended, once the last chunk was read.
    pub(crate) fn finish(&mut self) -> (Metered, Ending) {
        let flushed = self.writer().flush();
        let decoded = self.decoded();
        if flushed.is_err() || decoded.has_failed {
            return (Metered::default(), Ending::Whole);
        }
        decoded.reading.finish();
        (decoded.reading.figures.take(), decoded.reading.ending())
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Gzip(decoder) => &mut **decoder,
            Self::Deflate(decoder) => &mut **decoder,
            Self::Brotli(decoder) => &mut **decoder,
            Self::Zstd(decoder) => &mut **decoder,
        }
    }

    fn decoded(&mut self) -> &mut Decoded {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }
}

impl Write for Decoded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left_bytes = self.left_bytes.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        self.reading.read(&Bytes::copy_from_slice(bytes), |_, _| ());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use keyway_providers::{Catalog, Figures};

    use super::*;

    const ANSWER: &str = r#"{"model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}"#;

    fn encoded(encoding: &str) -> Vec<u8> {
        let mut out = Vec::new();
        match encoding {
            "gzip" => {
                let mut encoder = flate2::write::GzEncoder::new(&mut out, flate2::Compression::default());
                encoder.write_all(ANSWER.as_bytes()).unwrap();
                encoder.finish().unwrap();
            }
            "deflate" => {
                let mut encoder = flate2::write::ZlibEncoder::new(&mut out, flate2::Compression::default());
                encoder.write_all(ANSWER.as_bytes()).unwrap();
                encoder.finish().unwrap();
            }
            "br" => {
                let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, 5, 22);
                encoder.write_all(ANSWER.as_bytes()).unwrap();
                drop(encoder);
            }
            _ => out = zstd::encode_all(ANSWER.as_bytes(), 0).unwrap(),
        }
        out
    }

    fn decoder(encoding: &'static str) -> Option<Decoder> {
        let catalog = Catalog::load(None).unwrap();
        let figures = Figures::new(catalog.get("openai").unwrap(), "/v1/chat/completions");
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        Decoder::of(&headers, Reading::new(figures, false))
    }

    #[test]
    fn figures_are_read_in_every_encoding_however_it_is_cut() {
        for encoding in ["gzip", "deflate", "br", "zstd"] {
            let bytes = encoded(encoding);
            for cut in [1, 7, bytes.len()] {
                let mut decoder = decoder(encoding).unwrap();
                bytes.chunks(cut).for_each(|chunk| decoder.read(chunk));
                let (metered, ending) = decoder.finish();
                assert_eq!((metered.tokens.output, ending), (Some(7), Ending::Whole), "{encoding} cut {cut}");
            }
        }
        assert!(decoder("gzip, br").is_none() && decoder("compress").is_none());
    }

    #[test]
    fn what_cannot_be_decoded_is_unknown() {
        for encoding in ["gzip", "deflate", "br", "zstd"] {
            let mut decoder = decoder(encoding).unwrap();
            decoder.read(ANSWER.as_bytes());
            decoder.read(ANSWER.as_bytes());
            assert_eq!(decoder.finish().0, Metered::default(), "{encoding}");
        }
    }
}
