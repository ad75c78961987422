use super::*;

const INTERVAL: Duration = Duration::from_mins(10);

fn question(name: &str) -> Question {
    Question::Image("r.example/shop/web".parse().unwrap(), Digest::of(name.as_bytes()))
}

fn key(name: &str) -> Key {
    Key::pipeline("env", name.parse().unwrap())
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(minutes * 60).unwrap()
}

#[test]
fn first_questions_are_spread_over_the_interval_and_asked_once_for_all_who_want_them() {
    let probes = Probes::default();
    let wanted: BTreeSet<Question> = (0..1000).map(|n| question(&n.to_string())).collect();
    probes.want(&key("a"), &wanted, at(0), INTERVAL);
    probes.want(&key("b"), &wanted, at(5), INTERVAL);
    let all = probes.lock();
    let in_minute = |minute: i64| {
        let due = all.values().map(|known| known.kept.due);
        due.filter(|due| *due >= at(minute) && *due < at(minute + 1)).count()
    };
    let counts: Vec<usize> = (0..10).map(in_minute).collect();
    assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
    drop(all);
    assert_eq!(probes.due(at(10)).len(), BATCH_MAX);
    let one = question("1");
    let both = probes.note(&one, Ok(Answer::Present(2)), at(10), INTERVAL);
    assert_eq!(both, (BTreeSet::from([key("a"), key("b")]), true));
    assert!(!probes.note(&one, Ok(Answer::Present(2)), at(20), INTERVAL).1);
    assert!(!probes.due(at(28)).contains(&one) && probes.lock()[&one].kept.due <= at(30));
    probes.want(&key("a"), &BTreeSet::new(), at(20), INTERVAL);
    let missing = probes.note(&one, Ok(Answer::Missing("x".to_owned())), at(30), INTERVAL);
    assert_eq!(missing, (BTreeSet::from([key("b")]), true));
    probes.want(&key("b"), &BTreeSet::new(), at(30), INTERVAL);
    assert!(probes.lock().is_empty());
}

#[test]
fn silence_is_neither_there_nor_missing_and_is_asked_less_and_less_often() {
    let probes = Probes::default();
    let (one, key) = (question("1"), key("a"));
    let wanted = BTreeSet::from([one.clone()]);
    probes.want(&key, &wanted, at(0), INTERVAL);
    probes.note(&one, Ok(Answer::Present(2)), at(0), INTERVAL);
    for (asked, told, next) in
        [(10, true, 11), (11, false, 13), (13, false, 17), (17, false, 25), (25, false, 35), (35, false, 45)]
    {
        let (_, is_told) = probes.note(&one, Err("away".to_owned()), at(asked), INTERVAL);
        assert_eq!((is_told, probes.lock()[&one].kept.due), (told, at(next)), "{asked}");
    }
    let known = probes.want(&key, &wanted, at(40), INTERVAL).remove(&one).unwrap();
    assert_eq!(known.silent, Some((at(10), "away".to_owned())));
    assert_eq!(known.answer, Some((at(0), Answer::Present(2))));
    assert!(probes.note(&one, Ok(Answer::Present(2)), at(45), INTERVAL).1);
    probes.respread(at(-100), INTERVAL);
    assert!(probes.lock()[&one].kept.due <= at(-90));
}
