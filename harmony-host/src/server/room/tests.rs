//! Tests of the places for connections.

use super::*;
use crate::http::pace::Pace;
use crate::server::room::guests::GRACE_MILLIS;

const SECOND: Duration = Duration::from_secs(1);

/// Returns the connections among `places` that were told to leave.
async fn told(places: &[Place]) -> Vec<usize> {
    let mut told = Vec::new();
    for (index, place) in places.iter().enumerate() {
        if timeout(5 * LAST_CALL, place.must_leave()).await.is_ok() {
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
    let entrance = room.entrance(Arc::default());
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
    let entrance = Room::new(2).entrance(Arc::default());
    let places = fill(&entrance, 2).await;
    let busy: Vec<_> = places.iter().map(|place| place.activity().begin()).collect();
    assert!(!is_free(&entrance).await);
    assert_eq!(told(&places).await, [0; 0]);
    drop(busy);
    tokio::time::sleep(SECOND).await;
    // It is found when it becomes idle.
    assert!(!is_free(&entrance).await);
    assert_eq!(told(&places).await, [0]);
}

/// A connection that was told to leave and has a new request stays, and another one is told.
#[tokio::test(start_paused = true)]
async fn a_new_request_keeps_the_place() {
    let entrance = Room::new(2).entrance(Arc::default());
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
    let entrance = Room::new(1).entrance(Arc::default());
    let place = entrance.enter().await;
    let start = Instant::now();
    let leaving = async {
        place.must_leave().await;
        let idle = start.elapsed();
        drop(place);
        idle
    };
    let (idle, _next) = tokio::join!(leaving, entrance.enter());
    assert_eq!(idle, Duration::from_millis(GRACE_MILLIS) + LAST_CALL);
}

#[tokio::test(start_paused = true)]
async fn one_leaves_for_each_that_waits() {
    let entrance = Room::new(8).entrance(Arc::default());
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
    let [flooded, quiet] = [room.entrance(Arc::default()), room.entrance(Arc::default())];
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
        let entrance = room.entrance(Arc::default());
        let places = fill(&entrance, 4).await;
        assert!(!is_free(&entrance).await);
        drop(entrance);
        drop(places);
    }
    let state = room.state();
    assert!(state.listeners.is_empty() && state.guests().next().is_none());
    assert_eq!((state.leaving, state.waiting), (0, 0));
}

/// A flood of clients without a request takes a quarter of the places of those with requests, at most.
#[tokio::test(start_paused = true)]
async fn newcomers_displace_each_other() {
    let entrance = Room::new(8).entrance(Arc::default());
    let regulars = fill(&entrance, 8).await;
    for place in &regulars {
        drop(place.activity().begin());
    }
    tokio::time::sleep(SECOND).await;
    let mut regulars: Vec<_> = regulars.into_iter().map(Some).collect();
    let mut newcomers = Vec::new();
    for _ in 0..20 {
        let entering = entrance.enter();
        tokio::pin!(entering);
        let entered = loop {
            if let Ok(place) = timeout(SECOND / 4, &mut entering).await {
                break place;
            }
            for place in regulars.iter_mut().chain(&mut newcomers) {
                if let Some(waiting) = place
                    && timeout(5 * LAST_CALL, waiting.must_leave()).await.is_ok()
                {
                    *place = None;
                }
            }
        };
        newcomers.push(Some(entered));
    }
    let kept = regulars.iter().flatten().count();
    assert!((5..8).contains(&kept), "{kept} of 8");
}

/// When no connection is idle, the one whose client is the furthest behind gives way.
#[tokio::test(start_paused = true)]
async fn the_slowest_client_gives_way() {
    let entrance = Room::new(3).entrance(Arc::default());
    let places = fill(&entrance, 3).await;
    let _requests: Vec<_> = places.iter().map(|place| place.activity().begin()).collect();
    places[1].activity().pace().wait();
    tokio::time::sleep(SECOND).await;
    places[2].activity().pace().wait();
    assert!(!is_free(&entrance).await);
    let must_end = |n: usize| timeout(SECOND / 10, places[n].activity().pace().must_end());
    assert!(must_end(1).await.is_err(), "it is not far enough behind");
    tokio::time::sleep(5 * SECOND).await;
    assert!(!is_free(&entrance).await);
    assert!(must_end(1).await.is_ok());
    assert!(must_end(0).await.is_err());
}

/// A client that was slow and has its whole response is not behind while it is idle.
#[tokio::test(start_paused = true)]
async fn idle_clients_are_not_behind() {
    let room = Room::new(2);
    let entrance = room.entrance(Arc::default());
    let places = fill(&entrance, 2).await;
    let requests = [places[0].activity().begin(), places[1].activity().begin()];
    places[0].activity().pace().wait();
    tokio::time::sleep(5 * SECOND).await;
    places[0].activity().pace().advance(1, false);
    assert!(places[0].activity().behind() > 4 * SECOND);
    drop(requests);
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!(places[0].activity().behind(), Duration::ZERO);
}

/// A connection with a stream that flows keeps its place; its slow streams give theirs to others.
#[tokio::test(start_paused = true)]
async fn slow_streams_give_way_alone() {
    let room = Room::new(1);
    let entrance = room.entrance(Arc::default());
    let place = entrance.enter().await;
    let _request = place.activity().begin();
    let [slow, flowing] = [(); 2].map(|()| Arc::new(Pace::new()));
    let _streams = [&slow, &flowing].map(|pace| place.activity().open_stream(Arc::clone(pace)));
    slow.wait();
    tokio::time::sleep(5 * SECOND).await;
    assert!(!is_free(&entrance).await);
    let must_end = |pace: Arc<Pace>| async move { timeout(SECOND / 10, pace.must_end()).await.is_ok() };
    assert!(!must_end(Arc::clone(&slow)).await, "the connection needs its place");
    room.end_slowest();
    assert!(must_end(slow).await);
    assert!(!must_end(flowing).await);
}

/// Clients that send one request after the other keep their connections, unless others wait for too long.
#[tokio::test(start_paused = true)]
async fn regular_connections_have_a_longer_grace() {
    let entrance = Room::new(2).entrance(Arc::default());
    let places = fill(&entrance, 2).await;
    let entering = entrance.enter();
    tokio::pin!(entering);
    let mut turns = 0;
    while told(&places).await.is_empty() {
        for place in &places {
            drop(place.activity().begin());
        }
        turns += 1;
        let _ = timeout(SECOND / 5, &mut entering).await;
    }
    assert!((4..8).contains(&turns), "{turns}");
}

/// A client that does not close after its last response has no longer grace than one without a request.
#[tokio::test(start_paused = true)]
async fn closing_connections_have_the_short_grace() {
    for closes in [false, true] {
        let entrance = Room::new(2).entrance(Arc::default());
        let places = fill(&entrance, 2).await;
        for place in &places {
            drop(place.activity().begin());
            if closes {
                place.activity().close();
            }
        }
        let entering = entrance.enter();
        tokio::pin!(entering);
        assert!(timeout(2 * Duration::from_millis(GRACE_MILLIS), &mut entering).await.is_err());
        assert_eq!(told(&places).await.len(), usize::from(closes));
    }
}
