use super::*;

fn words(text: &str) -> Vec<Vec<String>> {
    let commands = commands(text, 0..text.len(), Breaks::End);
    commands.into_iter().map(|words| words.into_iter().map(|word| word.text).collect()).collect()
}

#[test]
fn scripts_are_taken_apart_into_commands() {
    for (text, want) in [
        ("a b;c && d | e", vec![vec!["a", "b"], vec!["c"], vec!["d"], vec!["e"]]),
        ("a # b\nc#d", vec![vec!["a"], vec!["c#d"]]),
        ("a 'b; c' \"d | e\"", vec![vec!["a", "b; c", "d | e"]]),
        ("a \\\n  b\\ c", vec![vec!["a", "b c"]]),
        ("a \\\r\n b", vec![vec!["a", "b"]]),
        ("a > b 2>&1 c &> d < e f", vec![vec!["a", "c", "f"]]),
        ("a <<EOF\nb c\nEOF\nd", vec![vec!["a"], vec!["d"]]),
        ("a <<-'X' | b\n  c\n  X\nd", vec![vec!["a"], vec!["b"], vec!["d"]]),
        ("a <<< b c", vec![vec!["a", "c"]]),
        ("x=$(a b) c", vec![vec!["a", "b"], vec!["x=$()", "c"]]),
        ("\"$(a \"b c\")\" d", vec![vec!["a", "b c"], vec!["$()", "d"]]),
        ("`a b` c", vec![vec!["a", "b"], vec!["$()", "c"]]),
        ("a ${{ x.y }}:latest ${B:-c d}", vec![vec!["a", "${{ x.y }}:latest", "${B:-c d}"]]),
        ("(a; b)", vec![vec!["a"], vec!["b"]]),
        ("case x in a) b ;; esac", vec![vec!["case", "x", "in", "a"], vec!["b"], vec!["esac"]]),
        ("a 'b", vec![vec!["a", "b"]]),
        ("a \"b $(c", vec![vec!["c"], vec!["a", "b $()"]]),
        ("é \"🚀\"", vec![vec!["é", "🚀"]]),
        ("", vec![]),
        ("a) b", vec![vec!["a"], vec!["b"]]),
        ("x=$((1<<2))\na b", vec![vec!["x=$()"], vec!["a", "b"]]),
        ("a \"$(( 1 << 20 ))\" b\nc", vec![vec!["a", "$()", "b"], vec!["c"]]),
        ("(( x <<= (1) ))\na b", vec![vec!["a", "b"]]),
        ("x=$((a<<b))\nc\nb\nd", vec![vec!["x=$()"], vec!["c"], vec!["b"], vec!["d"]]),
        ("x=$(( $(a b) << 2 )); c", vec![vec!["a", "b"], vec!["x=$()"], vec!["c"]]),
        ("$((a b); c) d", vec![vec!["a", "b"], vec!["c"], vec!["$()", "d"]]),
        ("let x=1<<2\na b", vec![vec!["let", "x=1"], vec!["a", "b"]]),
        ("a <<X <<Y\nb\nX\nc", vec![vec!["a"], vec!["c"]]),
    ] {
        assert_eq!(words(text), want, "{text}");
    }
}

#[test]
fn a_word_stands_where_its_bytes_are() {
    let text = "xx docker  pull \"web:latest\"";
    let commands = commands(text, 3..text.len(), Breaks::End);
    let spans: Vec<&str> = commands[0].iter().map(|word| &text[word.span.clone()]).collect();
    assert_eq!(spans, ["docker", "pull", "\"web:latest\""]);
}

#[test]
fn folded_lines_are_one_command() {
    let text = "a\n  b\n\nc";
    let commands = commands(text, 0..text.len(), Breaks::Fold);
    assert_eq!(commands.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn deep_nesting_ends() {
    let text = "$(".repeat(10_000) + &"\"`".repeat(1000);
    let _ = words(&text);
}

#[test]
fn many_documents_without_an_end_take_no_longer() {
    let lines: Vec<String> = (0..20_000).map(|index| format!("a <<M{index}")).collect();
    let text = lines.join("\n");
    assert_eq!(words(&text).len(), 20_000);
}
