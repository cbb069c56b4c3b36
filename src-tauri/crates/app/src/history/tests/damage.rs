//! What can be wrong with the file, and with the disk under it.

use super::*;

#[tokio::test]
async fn a_damaged_file_is_set_aside_with_a_notice() {
    type Damage = fn(&House);
    let damages: [(&str, Damage); 3] = [
        ("no database", |house| {
            fs::create_dir(house.directory.path().join("state")).unwrap();
            fs::write(
                house.path(),
                "this is no database, and it is long enough to be looked at. ".repeat(100),
            )
            .unwrap();
        }),
        ("a page overwritten", |house| {
            let rows: Vec<_> = (0..2000).map(|n| row(&n.to_string(), "2026-11-25T12:00:00Z")).collect();
            house.store().insert(&rows, &[]).unwrap();
            let mut bytes = fs::read(house.path()).unwrap();
            let middle = bytes.len() / 2 / 4096 * 4096;
            bytes[middle..middle + 8192].fill(0xA5);
            fs::write(house.path(), bytes).unwrap();
        }),
        ("a directory", |house| fs::create_dir_all(house.path()).unwrap()),
    ];
    for (what, damage) in damages {
        let house = House::new();
        damage(&house);
        let history = house.start();
        history.queue.finished(&finished("req_1"));
        assert_eq!(count(&history).await, Some(1), "{what}");
        let notice = history.state().borrow().notice.clone().unwrap_or_default();
        assert!(
            notice.contains("set aside as") && notice.contains("history.db.damaged-20"),
            "{what}: {notice}"
        );
        let aside: Vec<_> = house.names().into_iter().filter(|name| name.contains("damaged-")).collect();
        assert_eq!(aside.len(), 1, "{what}: {aside:?}");
        history.stop().await;
    }
}

/// What stands in the journal belongs to the damaged file: played into the new one it would be damage again.
#[test]
fn the_journal_goes_with_the_damaged_file() {
    let house = House::new();
    let mut store = house.store();
    let rows: Vec<_> = (0..2000).map(|n| row(&n.to_string(), "2026-11-25T12:00:00Z")).collect();
    store.insert(&rows, &[]).unwrap();
    store.db().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    store.insert(&[row("last", "2026-11-25T12:00:00Z")], &[]).unwrap();
    // Another process has the file open, so its journal stays when ours closes.
    let other = store;
    let length = fs::metadata(house.path()).unwrap().len() as usize;
    fs::write(house.path(), vec![0xA5; length]).unwrap();
    let (store, aside) = Store::open(&house.path()).unwrap();
    let aside = aside.expect("it is set aside");
    assert!(PathBuf::from(format!("{}-wal", aside.display())).exists(), "{:?}", house.names());
    let rows: i64 = store.db().query_row("SELECT count(*) FROM requests", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0);
    drop(other);
}

#[tokio::test]
async fn damage_that_shows_later_costs_no_new_row() {
    let house = House::new();
    let history = house.start();
    history.queue.finished(&finished("req_1"));
    assert_eq!(count(&history).await, Some(1));
    // Under the open file: what another program, or the disk, might do. The cache must not hide it.
    let shrink = |store: &mut Store| {
        Ok(store.db().execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA shrink_memory")?)
    };
    history.ask(shrink).await.unwrap();
    let length = fs::metadata(house.path()).unwrap().len() as usize;
    let mut file = fs::File::options().write(true).open(house.path()).unwrap();
    std::io::Write::write_all(&mut file, &vec![0xA5; length]).unwrap();
    drop(file);
    history.queue.finished(&finished("req_2"));
    assert_eq!(count(&history).await, Some(1));
    let notice = history.state().borrow().notice.clone().unwrap_or_default();
    assert!(notice.contains("set aside"), "{notice}");
    history.stop().await;
}

#[tokio::test]
async fn a_file_that_was_deleted_under_it_is_made_anew() {
    let house = House::new();
    let history = house.start();
    history.queue.finished(&finished("req_1"));
    assert_eq!(count(&history).await, Some(1));
    fs::remove_file(house.path()).unwrap();
    history.queue.finished(&finished("req_2"));
    assert_eq!(count(&history).await, Some(1));
    assert!(house.path().exists());
    history.stop().await;
}

/// Where nothing can be written; when it is mended, what came meanwhile is written.
#[tokio::test]
async fn a_place_that_cannot_be_written_stops_nothing_and_can_be_mended() {
    let house = House::new();
    let blocker = house.directory.path().join("state");
    fs::write(&blocker, "a file where the directory should be").unwrap();
    let history = house.start();
    history.queue.finished(&finished("req_1"));
    let asked = history.ask(|store| store.limits(0, 1)).await;
    assert!(matches!(asked, Ok(None) | Err(Error::History(_))), "{asked:?}");
    let notice = history.state().borrow().notice.clone().unwrap_or_default();
    assert!(notice.contains("can't be kept") && notice.contains("history.db"), "{notice}");
    fs::remove_file(&blocker).unwrap();
    history.queue.finished(&finished("req_2"));
    assert_eq!(count(&history).await, Some(2));
    assert_eq!(history.state().borrow().notice, None);
    history.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_place_that_cannot_be_written_is_bounded_and_the_rest_is_told() {
    let house = House::new();
    let blocker = house.directory.path().join("state");
    fs::write(&blocker, "a file where the directory should be").unwrap();
    let history = house.start();
    for number in 0..10 * 500 {
        history.queue.finished(&finished(&number.to_string()));
        if number % 500 == 499 {
            // Taken over by the thread, so that the queue is not what drops them.
            let _fails = history.ask(|store| store.limits(0, 1)).await;
        }
    }
    assert_eq!(history.queue.lost.load(Ordering::Relaxed), 0);
    fs::remove_file(&blocker).unwrap();
    assert_eq!(count(&history).await, Some(4096));
    let notice = history.state().borrow().notice.clone().unwrap_or_default();
    assert!(notice.starts_with("904 requests are missing"), "{notice}");
    history.stop().await;
}

#[tokio::test]
async fn a_full_disk_loses_nothing_when_there_is_room_again() {
    let house = House::new();
    let history = house.start();
    history.queue.finished(&finished("req_0"));
    let pages = |pages: i64| {
        move |store: &mut Store| {
            let limited = store
                .db()
                .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0));
            Ok(limited?)
        }
    };
    assert_eq!(history.ask(pages(1)).await.unwrap(), history.ask(pages(1)).await.unwrap());
    for number in 1..200 {
        history.queue.finished(&finished(&format!("req_{number}")));
    }
    let rows = count(&history).await;
    let notice = history.state().borrow().notice.clone().unwrap_or_default();
    assert!(notice.contains("no room left on the disk"), "{notice}");
    assert_eq!(rows, Some(1), "a batch is written whole or not at all");
    history.ask(pages(1_000_000)).await.unwrap();
    assert_eq!(count(&history).await, Some(200));
    assert_eq!(history.state().borrow().notice, None);
    history.stop().await;
}

/// Another process holds the file: requests don't wait, the queue and what waits behind it stay bounded, what did not
/// fit is counted and told.
#[tokio::test]
async fn a_locked_file_makes_nobody_wait_and_what_is_lost_is_told() {
    let house = House::new();
    let other = house.store();
    other.db().execute_batch("BEGIN IMMEDIATE").unwrap();
    let history = house.start();
    history.queue.finished(&finished("first"));
    // Until the thread waits for the file.
    tokio::time::sleep(Duration::from_millis(1000)).await;
    let begun = Instant::now();
    for number in 0..2 * QUEUE {
        history.queue.finished(&finished(&number.to_string()));
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?} for {} rows", 2 * QUEUE);
    let lost = history.queue.lost.load(Ordering::Relaxed);
    assert!(lost > 0, "the queue has no bound");
    other.db().execute_batch("COMMIT").unwrap();
    let kept = count(&history).await.unwrap();
    assert_eq!(kept as u64 + lost, 2 * QUEUE as u64 + 1, "every request is kept or counted as lost");
    let notice = history.state().borrow().notice.clone().unwrap_or_default();
    assert!(notice.starts_with(&format!("{lost} requests are missing")), "{notice}");
    history.stop().await;
}

#[tokio::test]
async fn two_writers_lose_nothing() {
    let house = House::new();
    let writers = [house.start(), house.start()];
    for round in 0..20 {
        for (who, history) in writers.iter().enumerate() {
            for number in 0..25 {
                history.queue.finished(&finished(&format!("{who} {round} {number}")));
            }
        }
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    // Each writes what it has before it answers.
    count(&writers[0]).await;
    count(&writers[1]).await;
    for history in &writers {
        assert_eq!(count(history).await, Some(1000));
        assert_eq!(history.state().borrow().today.requests, 1000, "and both see all");
        assert_eq!(history.state().borrow().notice, None);
        history.stop().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let house = House::new();
    let history = house.start();
    history.queue.finished(&finished("req_1"));
    count(&history).await;
    for name in house.names() {
        let mode = fs::metadata(house.path().with_file_name(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    history.stop().await;
}
