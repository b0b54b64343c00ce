//! From when and until when a certificate is good: the one thing that the TLS library does not tell. Only
//! as much of DER (X.690) is read as leads there (RFC 5280, section 4.1).

use daas_core::model::Timestamp;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The first and the last moment of a certificate; nothing where they cannot be found.
pub(super) fn validity(certificate: &[u8]) -> Option<[Timestamp; 2]> {
    let mut signed = Reader(Reader(certificate).take(SEQUENCE)?);
    let mut fields = Reader(signed.take(SEQUENCE)?);
    if fields.tag() == Some(VERSION) {
        fields.take(VERSION)?;
    }
    fields.take(INTEGER)?; // serial number
    fields.take(SEQUENCE)?; // algorithm
    fields.take(SEQUENCE)?; // issuer
    let mut validity = Reader(fields.take(SEQUENCE)?);
    Some([validity.time()?, validity.time()?])
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The content of the next element, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, rest) = self.0.split_first()?;
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (*found == tag).then_some(content)
    }

    fn time(&mut self) -> Option<Timestamp> {
        let tag = self.tag()?;
        let text = self.take(tag)?;
        let (year, rest) = match tag {
            UTC_TIME => {
                let (year, rest) = number(text, 2)?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            GENERALIZED_TIME => number(text, 4)?,
            _ => return None,
        };
        let (month, rest) = number(rest, 2)?;
        let (day, rest) = number(rest, 2)?;
        let (hour, rest) = number(rest, 2)?;
        let (minute, rest) = number(rest, 2)?;
        let (second, rest) = number(rest, 2)?;
        let minutes = (days(year, month, day) * 24 + hour) * 60 + minute;
        (rest == b"Z").then_some(Timestamp((minutes * 60 + second) * 1000))
    }
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let count = usize::from(first & 0x7F);
    let (bytes, rest) = rest.split_at_checked(count)?;
    if !(1..=4).contains(&count) {
        return None;
    }
    let length = bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    Some((usize::try_from(length).ok()?, rest))
}

fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = text.split_at_checked(digits)?;
    if !number.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = |sum, digit: &u8| sum * 10 + i64::from(digit - b'0');
    Some((number.iter().fold(0, value), rest))
}

/// Days since 1970-01-01. Years are counted from March, so that the day of a leap year comes
/// last; 400 years have 146 097 days.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day - 719_468
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 2, 28);
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn both_kinds_of_times() {
        for (year, expected) in [
            (2027, 1_803_772_800_000),
            (2049, 2_498_083_200_000),
            (2050, 2_529_619_200_000),
            (2100, 4_107_456_000_000),
        ] {
            let until = validity(&certificate(year)).map(|[_, until]| until);
            assert_eq!(until, Some(Timestamp(expected)), "{year}");
        }
    }

    #[test]
    fn what_is_cut_or_changed_does_no_harm() {
        let whole = certificate(2050);
        for length in 0..whole.len() {
            assert_eq!(validity(&whole[..length]), None, "{length}");
        }
        for index in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[index] ^= 1 << bit;
                // Whatever it is: no panic.
                let _ = validity(&changed);
            }
        }
    }
}
