//! One line of a segment: a call with its tenant as JSON, whose last field is the checksum of all before it. A line whose
//! bytes were damaged is never taken for another call. Lines of older builds have no checksum, and are read like theirs.

use keyway_domain::{MeteredCall, TenantId};
use serde::{Deserialize, Serialize};

/// Beginning of the field with the checksum; eight hexadecimal digits and [`END`] follow.
const FIELD: &[u8] = br#","crc32":""#;
const DIGITS: usize = 8;
const END: &[u8] = br#""}"#;

/// One line.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) tenant_id: TenantId,
    pub(super) call: MeteredCall,
}

impl Line {
    /// Appends the line with its checksum and its end.
    pub(super) fn write(&self, text: &mut Vec<u8>) -> serde_json::Result<()> {
        let begins = text.len();
        if let Err(error) = serde_json::to_writer(&mut *text, self) {
            text.truncate(begins);
            return Err(error);
        }
        // The object is closed behind the checksum.
        text.pop();
        let sum = crc32fast::hash(&text[begins..]);
        text.extend_from_slice(FIELD);
        text.extend_from_slice(format!("{sum:08x}").as_bytes());
        text.extend_from_slice(END);
        text.push(b'\n');
        Ok(())
    }

    /// Reads a line without its end; the error says what is wrong with it, and nothing of what it says.
    pub(super) fn read(line: &[u8]) -> Result<Self, String> {
        let tail = line.len().checked_sub(FIELD.len() + DIGITS + END.len()).map(|at| line.split_at(at));
        if let Some((summed, tail)) = tail.filter(|(_, tail)| tail.starts_with(FIELD))
            && tail[FIELD.len()..] != [format!("{:08x}", crc32fast::hash(summed)).as_bytes(), END].concat()
        {
            return Err("its checksum is another one".to_owned());
        }
        serde_json::from_slice(line).map_err(|error| format!("it is no call ({:?} error)", error.classify()))
    }
}

#[cfg(test)]
mod tests {
    use keyway_domain::{ProjectId, RequestId, ServedBy, Timestamp, VirtualKeyId};

    use super::*;

    #[test]
    fn a_line_comes_back_and_no_damaged_one_does() {
        let by = (ProjectId::new(), VirtualKeyId::new());
        let call = MeteredCall::begun(
            RequestId::new(),
            by,
            ServedBy::NoIntegration,
            "openai",
            "/v1/models",
            Timestamp::from_ms(1),
        );
        let line = Line { tenant_id: TenantId::new(), call };
        let mut text = b"before".to_vec();
        line.write(&mut text).unwrap();
        let text = text.strip_prefix(b"before").unwrap().strip_suffix(b"\n").unwrap();
        assert_eq!(Line::read(text).unwrap(), line);
        let old = serde_json::to_vec(&line).unwrap();
        assert_eq!(Line::read(&old).unwrap(), line, "of an older build");
        for at in 0..text.len() {
            let mut damaged = text.to_vec();
            damaged[at] ^= 1;
            // Where the name of the last field is damaged, the call is not.
            assert!(Line::read(&damaged).map_or(true, |read| read == line), "{}", String::from_utf8_lossy(&damaged));
        }
        let other = String::from_utf8(text.to_vec()).unwrap().replace("/v1/models", "/v1/model5");
        assert!(Line::read(other.as_bytes()).is_err() && Line::read(b"").is_err());
    }
}
