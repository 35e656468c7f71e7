//! One number or string in its field: flags, width and precision applied as Go's fmt applies them.

use super::super::Limit;
use super::print::Printer;
use crate::go::strconv;
use crate::go::unicode;
use crate::go::utf8;

/// The flags, width and precision of one verb.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Field {
    pub width: Option<usize>,
    pub precision: Option<usize>,
    pub minus: bool,
    pub plus: bool,
    pub sharp: bool,
    pub space: bool,
    pub zero: bool,
    /// `%+v`: structs with their fields' names.
    pub plus_v: bool,
    /// `%#v`: Go syntax.
    pub sharp_v: bool,
}

impl Field {
    /// Pads on the right; zeros only ever pad on the left.
    pub(super) fn left(&mut self) {
        self.minus = true;
        self.zero = false;
    }

    /// For `%v`, `#` and `+` are not flags but ask for other forms.
    pub(super) fn for_v(&mut self) {
        self.sharp_v = std::mem::take(&mut self.sharp);
        self.plus_v = std::mem::take(&mut self.plus);
    }

    fn is_signed(&self) -> bool {
        self.plus || self.space
    }
}

/// An integer of either kind, as sign and magnitude.
#[derive(Clone, Copy)]
pub(super) struct Integer {
    pub negative: bool,
    pub magnitude: u64,
    /// True if its type is unsigned: `%#v` then prints hexadecimal.
    pub unsigned: bool,
}

impl Integer {
    pub(super) fn signed(number: i64) -> Integer {
        Integer {
            negative: number < 0,
            magnitude: number.unsigned_abs(),
            unsigned: false,
        }
    }

    pub(super) fn unsigned(number: u64) -> Integer {
        Integer {
            negative: false,
            magnitude: number,
            unsigned: true,
        }
    }

    /// The 64 bits of it, as `%c`, `%q` and `%U` take them.
    pub(super) fn bits(self) -> u64 {
        if self.negative {
            self.magnitude.wrapping_neg()
        } else {
            self.magnitude
        }
    }
}

impl Printer {
    /// Text padded to the width.
    pub(super) fn pad(&mut self, text: &[u8]) -> Result<(), Limit> {
        let width = self.field.width.unwrap_or(0);
        if width == 0 {
            return self.push(text);
        }
        let missing = width.saturating_sub(utf8::count(text));
        if self.field.minus {
            self.push(text)?;
            self.push_padding(missing)
        } else {
            self.push_padding(missing)?;
            self.push(text)
        }
    }

    /// Text padded to the width, always with spaces.
    fn pad_with_spaces(&mut self, text: &[u8]) -> Result<(), Limit> {
        let zero = std::mem::take(&mut self.field.zero);
        let done = self.pad(text);
        self.field.zero = zero;
        done
    }

    fn push_padding(&mut self, count: usize) -> Result<(), Limit> {
        let byte = if self.field.zero { b'0' } else { b' ' };
        self.push_repeated(byte, count)
    }

    /// `%d %b %o %O %x %X`; `verb` matters for the letters' case and for the prefix of `%O`.
    pub(super) fn integer(&mut self, number: Integer, base: u32, verb: char) -> Result<(), Limit> {
        let field = self.field;
        if field.precision == Some(0) && number.magnitude == 0 {
            return self.push_repeated(b' ', field.width.unwrap_or(0));
        }
        // A precision asks for that many digits; a zero flag for as many as fill the width.
        let places = match (field.precision, field.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if field.zero => {
                width - usize::from(width > 0 && (number.negative || field.is_signed()))
            }
            _ => 0,
        };
        self.reserve(places)?;
        let digits = match base {
            2 => format!("{:b}", number.magnitude),
            8 => format!("{:o}", number.magnitude),
            16 if verb == 'X' => format!("{:X}", number.magnitude),
            16 => format!("{:x}", number.magnitude),
            _ => number.magnitude.to_string(),
        };
        let digits = zero_filled(&digits, places);
        let mut text = Vec::with_capacity(digits.len() + 4);
        if number.negative {
            text.push(b'-');
        } else if field.plus {
            text.push(b'+');
        } else if field.space {
            text.push(b' ');
        }
        if verb == 'O' {
            text.extend(b"0o");
        }
        match base {
            2 if field.sharp => text.extend(b"0b"),
            8 if field.sharp && !digits.starts_with(b"0") => text.push(b'0'),
            16 if field.sharp => text.extend([b'0', if verb == 'X' { b'X' } else { b'x' }]),
            _ => {}
        }
        text.extend(digits);
        self.pad_with_spaces(&text)
    }

    /// `%c`
    pub(super) fn character(&mut self, number: u64) -> Result<(), Limit> {
        let found = utf8::from_number(number);
        self.pad(found.encode_utf8(&mut [0; 4]).as_bytes())
    }

    /// `%q` of an integer
    pub(super) fn quoted_character(&mut self, number: u64) -> Result<(), Limit> {
        let found = utf8::from_number(number);
        let quoted = if self.field.plus {
            strconv::quote_rune_to_ascii(found)
        } else {
            strconv::quote_rune(found)
        };
        self.pad(&quoted)
    }

    /// `%U`: `U+0078`, with the sharp flag `U+0078 'x'`.
    pub(super) fn unicode(&mut self, number: u64) -> Result<(), Limit> {
        let places = self.field.precision.unwrap_or(0).max(4);
        self.reserve(places)?;
        let mut text = b"U+".to_vec();
        text.extend(zero_filled(&format!("{number:X}"), places));
        let found = u32::try_from(number).ok().and_then(char::from_u32);
        if let Some(found) = found.filter(|found| self.field.sharp && unicode::is_print(*found)) {
            text.extend(format!(" '{found}'").bytes());
        }
        self.pad_with_spaces(&text)
    }

    /// `%s`: at most precision characters.
    pub(super) fn string(&mut self, text: &[u8]) -> Result<(), Limit> {
        self.pad(self.truncated(text))
    }

    fn truncated<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        match self.field.precision {
            Some(precision) if precision < text.len() => {
                let kept = utf8::chars(text).take(precision);
                let end = kept.map(|(_, width)| width).sum();
                text.get(..end).unwrap_or(text)
            }
            _ => text,
        }
    }

    /// `%q` of a string
    pub(super) fn quoted(&mut self, text: &[u8]) -> Result<(), Limit> {
        let text = self.truncated(text);
        // Nothing gets shorter by being quoted.
        self.reserve(text.len())?;
        let quoted = if self.field.sharp && strconv::can_backquote(text) {
            [b"`", text, b"`"].concat()
        } else if self.field.plus {
            strconv::quote_to_ascii(text)
        } else {
            strconv::quote(text)
        };
        self.pad(&quoted)
    }

    /// `%x` and `%X` of a string: its bytes, at most precision of them.
    pub(super) fn hex(&mut self, text: &[u8], upper: bool) -> Result<(), Limit> {
        let field = self.field;
        let count = field.precision.unwrap_or(text.len()).min(text.len());
        let bytes = text.get(..count).unwrap_or(text);
        self.reserve(bytes.len())?;
        let (prefix, digits) = if upper {
            ("0X", b"0123456789ABCDEF")
        } else {
            ("0x", b"0123456789abcdef")
        };
        let mut shown = Vec::with_capacity(bytes.len() * 2 + 2);
        for (place, byte) in bytes.iter().enumerate() {
            if place > 0 && field.space {
                shown.push(b' ');
            }
            if field.sharp && (place == 0 || field.space) {
                shown.extend(prefix.bytes());
            }
            let digit = |nibble: u8| digits[usize::from(nibble & 0xf)];
            shown.extend([digit(byte >> 4), digit(*byte)]);
        }
        self.pad(&shown)
    }

    /// A float in one of `strconv`'s shapes; `default` is the precision when none is given, `None`
    /// the shortest.
    pub(super) fn float(
        &mut self,
        number: f64,
        shape: char,
        default: Option<usize>,
    ) -> Result<(), Limit> {
        let field = self.field;
        let precision = field.precision.or(default);
        self.reserve(precision.unwrap_or(0))?;
        let shape = u8::try_from(shape).unwrap_or(b'g');
        let text = strconv::format_float(number, shape, precision);
        let (sign, mut digits) = match text.split_first() {
            Some((sign @ (b'-' | b'+'), digits)) => (*sign, digits.to_vec()),
            _ => (b'+', text),
        };
        let sign = match sign {
            b'+' if field.space && !field.plus => b' ',
            sign => sign,
        };
        if !number.is_finite() {
            return self.not_a_number(sign, &digits);
        }
        if field.sharp && shape != b'b' {
            digits = with_point(&digits, shape, precision);
        }
        if sign == b'+' && !field.plus {
            return self.pad(&digits);
        }
        let mut text = vec![sign];
        match field.width {
            // The sign comes before the zeros.
            Some(width) if field.zero && width > digits.len() + 1 => {
                self.push(&text)?;
                self.push_padding(width - digits.len() - 1)?;
                self.push(&digits)
            }
            _ => {
                text.append(&mut digits);
                self.pad(&text)
            }
        }
    }

    /// Infinities with their sign, NaN with one that was asked for; neither is padded with zeros.
    fn not_a_number(&mut self, sign: u8, digits: &[u8]) -> Result<(), Limit> {
        if digits == b"NaN" && !self.field.is_signed() {
            return self.pad_with_spaces(digits);
        }
        self.pad_with_spaces(&[&[sign], digits].concat())
    }
}

/// At least this many digits. (std's own zero filling panics beyond 65,535.)
fn zero_filled(digits: &str, places: usize) -> Vec<u8> {
    let mut out = vec![b'0'; places.saturating_sub(digits.len())];
    out.extend_from_slice(digits.as_bytes());
    out
}

/// The sharp flag: always a decimal point, and for `%g` (and `%x`) all the digits that the
/// precision asks for.
fn with_point(digits: &[u8], shape: u8, precision: Option<usize>) -> Vec<u8> {
    let is_hex = matches!(shape, b'x' | b'X');
    let is_tail = |byte: &u8| match byte {
        b'p' | b'P' => true,
        b'e' | b'E' => !is_hex,
        _ => false,
    };
    let end = digits.iter().position(is_tail).unwrap_or(digits.len());
    let (head, tail) = digits.split_at(end);
    let wanted = match shape {
        b'g' | b'G' | b'x' => precision.unwrap_or(6),
        _ => 0,
    };
    // Significant ones; the `x` of a hexadecimal prefix counts, as it does in Go.
    let significant = head
        .iter()
        .filter(|byte| **byte != b'.')
        .skip_while(|byte| **byte == b'0')
        .count();
    let mut out = head.to_vec();
    let mut missing = wanted.saturating_sub(significant);
    if !head.contains(&b'.') {
        // A lone zero counts as one digit.
        missing = missing.saturating_sub(usize::from(head == b"0"));
        out.push(b'.');
    }
    out.resize(out.len() + missing, b'0');
    out.extend_from_slice(tail);
    out
}
