//! How much structure a JSON text has, told in one pass over its bytes, before anything is built from it.
//!
//! A body is bounded in bytes, but that says little about what it becomes: eight megabytes of `0,0,0,…` are four million
//! values of some thirty bytes each. So the structure is counted first, and what has too much of it is refused before a
//! tree is built. The text need not be valid JSON; whether it is, the parser says afterwards.

use core::fmt;

/// How much structure is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How deeply arrays and objects may be nested in each other.
    pub depth: usize,
    /// How many values there may be in all: texts, numbers, arrays, objects and their members.
    pub values: usize,
}

impl Bounds {
    /// For a conversation: an agent's with 5,000 messages has some 25,000 values. Each becomes about a hundred bytes at
    /// most, so this is 5 MB of the 128 that a Worker has. A schema of ten levels, which is as deep as providers take
    /// one, is some thirty levels of JSON.
    pub const CONVERSATION: Self = Self { depth: 64, values: 50_000 };
    /// For every other body.
    pub const ORDINARY: Self = Self { depth: 64, values: 10_000 };
}

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooMuch {
    /// It is nested more deeply than this.
    Depth(usize),
    /// It has more values than this.
    Values(usize),
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth(most) => {
                write!(f, "must be nested less deeply: at most {most} arrays and objects in each other")
            }
            Self::Values(most) => write!(f, "has too many values: at most {most} texts, numbers, arrays and members"),
        }
    }
}

/// Looks at each byte once, and no further than the first that is too much. Answers how many bytes it looked at.
///
/// # Errors
/// What there is too much of.
pub fn measure(json: &[u8], bounds: Bounds) -> Result<usize, TooMuch> {
    let (mut depth, mut values, mut in_text, mut escaped) = (0_usize, 1_usize, false, false);
    for byte in json {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                depth += 1;
                values += 1;
                if depth > bounds.depth {
                    return Err(TooMuch::Depth(bounds.depth));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            // A member is a name and a value, and a value follows each comma.
            b',' | b':' => values += 1,
            _ => continue,
        }
        if values > bounds.values {
            return Err(TooMuch::Values(bounds.values));
        }
    }
    Ok(json.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { depth: 3, values: 10 };

    #[test]
    fn structure_is_counted_and_texts_are_not() {
        for taken in
            [r#"{"a":[1,2]}"#, r#"{"a":"[[[[[[,,,,,,,,,,,,,,"}"#, r#"{"a":"\"[[[[\\"}"#, "[[[1]]]", "", "}}}}]]]]"]
        {
            assert_eq!(measure(taken.as_bytes(), BOUNDS), Ok(taken.len()), "{taken}");
        }
        assert_eq!(measure(b"[[[[1]]]]", BOUNDS), Err(TooMuch::Depth(3)));
        assert_eq!(measure(br#"{"a":"\\","b":[[["x"]]]}"#, BOUNDS), Err(TooMuch::Depth(3)));
        assert_eq!(measure(b"[1,2,3,4,5,6,7,8,9,10]", BOUNDS), Err(TooMuch::Values(10)));
        assert_eq!(measure(br#"{"a":1,"b":1,"c":1,"d":1,"e":1}"#, BOUNDS), Err(TooMuch::Values(10)));
    }

    #[test]
    fn what_is_too_much_is_not_read_to_its_end() {
        // The text that follows could be of any length: the error comes from the bytes before it.
        let mut text = b"[[[[".to_vec();
        assert!(measure(&text, BOUNDS).is_err());
        text.extend_from_slice(&[0xFF; 100]);
        assert!(measure(&text, BOUNDS).is_err());
    }
}
