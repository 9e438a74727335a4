//! Recordings: tokens by their length in time.

/// OpenAI's models take a token for each 100 ms of what is said (<https://developers.openai.com/api/docs/guides/realtime-costs>); some
/// more stand around it.
const TOKENS_PER_SECOND: u64 = 12;

/// MP3's lowest rate, 8 kbit/s: no recording of so many bytes lasts longer.
const LEAST_BYTES_PER_SECOND: u64 = 1_000;

/// What a recording takes at most. A WAV with plain samples says how long it is, anything else as if it had the lowest rate.
pub(super) fn tokens(bytes: &[u8]) -> u64 {
    let rate = wav_rate(bytes).unwrap_or(LEAST_BYTES_PER_SECOND).max(1);
    (bytes.len() as u64 * TOKENS_PER_SECOND).div_ceil(rate)
}

/// Bytes a second of a WAV, from what its samples are (not from the field that says so, which nobody reads).
fn wav_rate(bytes: &[u8]) -> Option<u64> {
    let is_wav = bytes.starts_with(b"RIFF") && bytes.get(8..16) == Some(b"WAVEfmt ");
    let little = |at: usize, len: usize| {
        bytes.get(at..at + len).map(|field| field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let (format, channels, samples, bits) = (little(20, 2)?, little(22, 2)?, little(24, 4)?, little(34, 2)?);
    // Whole numbers, or floating point: anything else is compressed.
    (is_wav && [1, 3].contains(&format)).then(|| channels * samples * bits / 8).filter(|rate| *rate > 0)
}
