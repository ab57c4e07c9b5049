const REVERSED: u32 = 0xEDB8_8320;

/// What a byte, and that many zeros after it, make of the sum.
const TABLES: [[u32; 256]; 8] = tables();

/// CRC-32 (ISO-HDLC, the one of zip and PNG). Finds typing mistakes; protects against nothing.
///
/// Eight bytes at a time: with one table, as bit by bit, each byte waits for the one before it.
#[expect(clippy::many_single_char_names, reason = "they are bytes, and nothing else")]
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<8>();
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
    let of = |table: &[u32; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or(0);
    let crc = words.iter().fold(u32::MAX, |crc, word| {
        let [a, b, c, d, e, f, g, h] = *word;
        let [p, q, r, s] = (crc ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
        of(t7, p) ^ of(t6, q) ^ of(t5, r) ^ of(t4, s) ^ of(t3, e) ^ of(t2, f) ^ of(t1, g) ^ of(t0, h)
    });
    !rest.iter().fold(crc, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        of(t0, low ^ byte) ^ (crc >> 8)
    })
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, which would not go on"
)]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut table) = (byte as u32, 0);
        while table < 8 {
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ REVERSED } else { crc >> 1 };
                bit += 1;
            }
            tables[table][byte] = crc;
            table += 1;
        }
        byte += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the catalogue of parametrised CRC algorithms.
    #[test]
    fn has_the_published_check_value() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
        // Those of `zlib`.
        assert_eq!(crc32(b"The quick brown fox jumps over the lazy dog"), 0x414F_A339);
        assert_eq!(crc32(&[0xFF; 32]), 0xFF6C_AB0B);
    }
}
