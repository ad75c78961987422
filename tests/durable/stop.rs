//! How the server stops.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::world::World;

/// A delivery of which the last byte is still to come.
fn half_sent(world: &World) -> TcpStream {
    let mut stream = TcpStream::connect(&world.place.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!(
        "POST /webhooks/registry HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer hook-secret\r\ncontent-length: 13\r\n\r\n",
        world.place.address
    );
    stream.write_all(format!("{head}{{\"events\":[]").as_bytes()).unwrap();
    // It is in work when the server has read its head.
    std::thread::sleep(Duration::from_millis(200));
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_stop_it_answers_what_is_in_work_and_leaves_a_whole_file() {
    let world = World::new(1).await;
    let server = world.place.serve();
    assert_eq!(world.deliver("a", 0, 0).await.unwrap().status, 202);
    let mut stream = half_sent(&world);
    server.ask();
    std::thread::sleep(Duration::from_millis(200));
    stream.write_all(b"}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert_eq!(server.ended(), 0);
    let left: Vec<String> = std::fs::read_dir(world.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("store.db"))
        .collect();
    assert!(!left.iter().any(|name| name.ends_with("-wal") || name.ends_with("-shm")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_twice_it_stops_at_once_and_goes_on_where_it_was() {
    let world = World::new(1).await;
    let server = world.place.serve();
    let _unfinished = half_sent(&world);
    assert_eq!(world.deliver("a", 0, 0).await.unwrap().status, 202);
    server.ask();
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    server.ask();
    assert_eq!(server.ended(), 7);
    assert!(begun.elapsed() < Duration::from_secs(4), "`stop_timeout` is 5 s");
    let server = world.place.serve();
    assert_eq!(world.deliver("a", 0, 0).await.unwrap().status, 202);
    let repeats = world.figure(r#"lockkeeper_deliveries_total{webhook="registry",outcome="repeat"}"#).await;
    assert_eq!(repeats, Some(1.0), "it was on disk");
    assert_eq!(server.stop(), 0);
}
