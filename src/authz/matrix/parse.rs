//! Tables in Markdown or CSV. Pure.

/// The cells of a table, without Markdown's line of dashes and without blank lines. Each row comes
/// with the number of its line, from 1.
pub(super) fn rows(text: &str) -> Vec<(usize, Vec<String>)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index.saturating_add(1), line.trim()));
    let filled = numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    filled.filter(|(_, line)| !is_rule(line)).map(|(number, line)| (number, cells(line))).collect()
}

/// `|---|:-:|`
fn is_rule(line: &str) -> bool {
    line.starts_with('|')
        && line.contains('-')
        && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
        && !line.split('|').any(|cell| cell.trim() == "-")
}

fn cells(line: &str) -> Vec<String> {
    match line.strip_prefix('|') {
        Some(rest) => rest
            .strip_suffix('|')
            .unwrap_or(rest)
            .split('|')
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect(),
        None => csv(line),
    }
}

/// RFC 4180 §2, one line: a cell in quotes may hold commas, and quotes that are doubled.
fn csv(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            letter => cell.push(letter),
        }
    }
    cells.push(cell.trim().to_owned());
    cells
}

/// `Read, Create` and `read; create` are two verbs; a dash, however long, and an empty cell are none.
pub(super) fn verbs(cell: &str) -> impl Iterator<Item = &str> {
    let verbs = cell.split([',', ';', '/']).map(str::trim);
    verbs.filter(|verb| !matches!(*verb, "" | "-" | "–" | "—"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markdown_and_csv_are_the_same_table() {
        let markdown = "| Resource | Customer |\n|---|---|\n| Own Orders | Read, Create |\n| Refunds | - |\n";
        let csv = "Resource,Customer\n\n# a remark\nOwn Orders,\"Read, Create\"\nRefunds,-\n";
        let cells = |text| rows(text).into_iter().map(|(_, cells)| cells).collect::<Vec<_>>();
        assert_eq!(cells(markdown), cells(csv));
        assert_eq!(cells(csv), [["Resource", "Customer"], ["Own Orders", "Read, Create"], ["Refunds", "-"]]);
        assert_eq!(rows(markdown)[1].0, 3);
        assert_eq!(verbs("Read, Create").collect::<Vec<_>>(), ["Read", "Create"]);
        assert_eq!((verbs("-").count(), verbs("").count(), verbs(" – ").count()), (0, 0, 0));
        assert_eq!(rows("\"a \"\"b\"\"\",c")[0].1, ["a \"b\"", "c"]);
    }

    #[test]
    fn a_row_that_denies_everything_is_no_rule() {
        assert_eq!(rows("| - | - |").len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_is_some_table(text in "[\\PC\n|,\"-]{0,80}") {
            let _ = rows(&text).iter().map(|(_, cells)| cells.iter().flat_map(|cell| verbs(cell)).count()).sum::<usize>();
        }
    }
}
