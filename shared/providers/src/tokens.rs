//! Estimating tokens from text, for reservations and for answers whose provider reports no usage.
//!
//! A tokenizer is out of the question: each provider has its own, the tables are megabytes and the request budget is a millisecond.
//! Four bytes a token is OpenAI's own rule of thumb for English (<https://platform.openai.com/tokenizer>); scripts outside ASCII take
//! about one token for three bytes (a Chinese character is three bytes and about one token, a Cyrillic letter two bytes and about half).

/// Bytes of ASCII text a token stands for.
const ASCII_BYTES: u64 = 4;
/// Bytes of other text a token stands for.
const OTHER_BYTES: u64 = 3;

/// A running count of text, in bytes by kind, so that a stream can be tallied without keeping it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TextTally {
    ascii: u64,
    other: u64,
}

impl TextTally {
    pub(crate) fn add(&mut self, text: &str) {
        let other = text.bytes().filter(|b| !b.is_ascii()).count();
        self.other += other as u64;
        self.ascii += (text.len() - other) as u64;
    }

    /// Tokens, rounded up: any text at all is at least one.
    pub(crate) fn tokens(self) -> u64 {
        // Twelfths, so that the two kinds round up together and not each for itself.
        (self.ascii * (12 / ASCII_BYTES) + self.other * (12 / OTHER_BYTES)).div_ceil(12)
    }
}

/// Tokens of one text.
pub(crate) fn estimate(text: &str) -> u64 {
    let mut tally = TextTally::default();
    tally.add(text);
    tally.tokens()
}

#[cfg(test)]
mod tests;
