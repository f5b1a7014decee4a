//! Tests of the places for connections.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Returns the connections among `places` that were told to leave.
async fn told(places: &[Place]) -> Vec<usize> {
    let mut told = Vec::new();
    for (index, place) in places.iter().enumerate() {
        if timeout(Duration::from_millis(1), place.must_leave()).await.is_ok() {
            told.push(index);
        }
    }
    told
}

async fn fill(entrance: &Entrance, count: usize) -> Vec<Place> {
    let mut places = Vec::new();
    for _ in 0..count {
        places.push(entrance.enter().await);
        tokio::time::sleep(SECOND).await;
    }
    places
}

/// Returns true if a place is free.
async fn is_free(entrance: &Entrance) -> bool {
    timeout(SECOND / 2, entrance.enter()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn the_longest_idle_connection_gives_way() {
    let room = Room::new(4);
    let entrance = room.entrance();
    let mut places = fill(&entrance, 4).await;
    let in_flight = places[0].activity().begin();
    // The second one is the most recent of the idle ones.
    drop(places[1].activity().begin());
    let entering = entrance.enter();
    tokio::pin!(entering);
    assert!(timeout(SECOND, &mut entering).await.is_err());
    assert_eq!(told(&places).await, [2]);
    drop(places.remove(2));
    let _entered = entering.await;
    assert_eq!(room.requests(), 1);
    drop(in_flight);
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_requests_stays() {
    let entrance = Room::new(2).entrance();
    let places = fill(&entrance, 2).await;
    let busy: Vec<_> = places.iter().map(|place| place.activity().begin()).collect();
    assert!(!is_free(&entrance).await);
    assert_eq!(told(&places).await, [0; 0]);
    drop(busy);
    // It is found when it becomes idle.
    assert!(!is_free(&entrance).await);
    assert_eq!(told(&places).await, [0]);
}

/// A connection that was told to leave and has a new request stays, and another one is told.
#[tokio::test(start_paused = true)]
async fn a_new_request_keeps_the_place() {
    let entrance = Room::new(2).entrance();
    let places = fill(&entrance, 2).await;
    let entering = entrance.enter();
    tokio::pin!(entering);
    assert!(timeout(SECOND / 20, &mut entering).await.is_err());
    let _in_flight = places[0].activity().begin();
    assert_eq!(told(&places[..1]).await, [0; 0]);
    assert!(timeout(SECOND, &mut entering).await.is_err());
    assert_eq!(told(&places[1..]).await, [0]);
}

/// A client that has just connected has time to send its request.
#[tokio::test(start_paused = true)]
async fn new_connections_have_a_grace() {
    let entrance = Room::new(1).entrance();
    let place = entrance.enter().await;
    let start = Instant::now();
    let leaving = async {
        place.must_leave().await;
        let idle = start.elapsed();
        drop(place);
        idle
    };
    let (idle, _next) = tokio::join!(leaving, entrance.enter());
    assert_eq!(idle.as_millis() as u64, GRACE_MILLIS);
}

#[tokio::test(start_paused = true)]
async fn one_leaves_for_each_that_waits() {
    let entrance = Room::new(8).entrance();
    let places = fill(&entrance, 8).await;
    let waiting = futures(&entrance, 3);
    assert!(timeout(5 * SECOND, waiting).await.is_err());
    // Those that waited are gone, and nobody else is told.
    assert_eq!(told(&places).await, [0, 1, 2]);
}

async fn futures(entrance: &Entrance, count: usize) {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(Box::pin(entrance.enter()));
    }
    std::future::poll_fn(|cx| {
        for entering in &mut all {
            assert!(entering.as_mut().poll(cx).is_pending());
        }
        std::task::Poll::<()>::Pending
    })
    .await;
}

/// A flood on one listener leaves room for the others, and the others do not push each other out.
#[tokio::test(start_paused = true)]
async fn every_listener_has_places() {
    let room = Room::new(64);
    let [flooded, quiet] = [room.entrance(), room.entrance()];
    let busy: Vec<_> = fill(&flooded, 56).await;
    let requests: Vec<_> = busy.iter().map(|place| place.activity().begin()).collect();
    assert!(!is_free(&flooded).await, "eight places are kept for the other listener");
    let own = fill(&quiet, 8).await;
    assert!(!is_free(&flooded).await);
    assert_eq!(told(&own).await, [0; 0], "a listener with few connections keeps them");
    drop((requests, busy));
    drop(own);
    drop(quiet);
    let _all = fill(&flooded, 64).await;
    assert!(!is_free(&flooded).await);
}

#[tokio::test(start_paused = true)]
async fn ended_connections_leave_nothing_behind() {
    let room = Room::new(4);
    for _ in 0..10 {
        let entrance = room.entrance();
        let places = fill(&entrance, 4).await;
        assert!(!is_free(&entrance).await);
        drop(entrance);
        drop(places);
    }
    let state = room.state();
    assert!(state.listeners.is_empty() && state.by_idle_time.is_empty());
    assert_eq!((state.leaving, state.waiting), (0, 0));
}
