"""The client's picture, which no order and no copies can falsify, and where it resumes. Pure."""

from hypothesis import given
from hypothesis import strategies as st

from infra.client import Picture
from infra.client.picture import Asked
from infra.client.resume import ResumePoint
from tests.support.feed_server import call, update

LIVES = {
    "open": [call("open", version) for version in range(1, 5)],
    "over": [*[call("over", version) for version in range(1, 4)], call("over", 4, "ended")],
    "late": [call("late", 1), call("late", 2, "ended"), call("late", 3, "ended", flags=["short_call"])],
}
VIEWS = [view for life in LIVES.values() for view in life]


@given(st.permutations(VIEWS), st.lists(st.sampled_from(VIEWS)), st.randoms())
def test_any_order_and_any_copies_make_one_picture(views, copies, random):
    frames = [*views, *copies]
    random.shuffle(frames)
    picture = Picture()
    for number, view in enumerate(frames):
        picture.apply(update(view, position=number))
    assert picture.calls == {"open": LIVES["open"][-1]}
    assert picture.ended == {"over": LIVES["over"][-1], "late": LIVES["late"][-1]}
    assert picture.position == len(frames) - 1


@given(st.permutations(VIEWS), st.integers(0, len(VIEWS)))
def test_a_snapshot_between_any_frames_gives_the_same_end(views, place):
    picture = Picture()
    for view in views[:place]:
        picture.apply(update(view))
    picture.take_snapshot(picture.ask(), [LIVES["open"][-1]])
    for view in views[place:]:
        picture.apply(update(view))
    assert picture.calls == {"open": LIVES["open"][-1]}


def test_an_older_snapshot_overwrites_no_newer_call():
    picture = Picture()
    asked = picture.ask()
    picture.apply(update(call("a", 3, "active"), call("b", 2, "ended"), call("new", 1)))
    picture.take_snapshot(asked, [call("a", 2), call("b", 1)])
    assert picture.calls == {"a": call("a", 3, "active"), "new": call("new", 1)}


def test_a_call_that_the_snapshot_lacks_has_ended_and_stays_so():
    picture = Picture()
    picture.apply(update(call("gone", 4), call("moving", 4)))
    asked = picture.ask()
    picture.apply(update(call("moving", 5)))  # while the snapshot is on its way
    picture.take_snapshot(asked, [], position=9)
    assert set(picture.calls) == {"moving"} and picture.has_doubt  # of before the snapshot or of after it?
    picture.apply(update(call("gone", 5), position=8))  # sent before, come after
    picture.take_snapshot(picture.ask(), [], position=9)
    assert not picture.calls and not picture.has_doubt


def test_an_unknown_call_in_an_old_frame_leaves_a_doubt():
    picture = Picture()
    picture.take_snapshot(picture.ask(), [call("known", 1)], position=9)
    picture.apply(update(call("known", 2), call("over", 2, "ended"), position=9))
    picture.apply(update(call("new", 1), position=10))
    assert not picture.has_doubt
    picture.apply(update(call("old", 1), position=9))
    assert picture.has_doubt and set(picture.calls) == {"known", "new", "old"}


def test_a_call_that_leaves_the_topics_may_return():
    picture = Picture(concerns=lambda call: call["queueId"] == "q")
    picture.apply(update(call("a", 1)))
    change = picture.apply(update(call("a", 3, queueId="foreign"), call("b", 1, queueId="foreign")))
    assert [view["id"] for view in change.calls] == ["a"] and not picture.calls
    picture.apply(update(call("a", 2)))  # sent before, come after
    assert not picture.calls
    picture.apply(update(call("a", 4)))
    assert picture.calls == {"a": call("a", 4)}


def test_an_unchanged_item_is_not_reported():
    picture = Picture()
    event, agent = {"id": "e1", "callId": "a"}, {"id": "x", "version": 2, "status": "away"}
    frame = update(call("a", 2), events=[event], agents=[agent])
    first, again = picture.apply(frame), picture.apply(frame)
    assert (len(first.calls), len(first.events), len(first.agents)) == (1, 1, 1)
    assert again == type(again)()


def test_a_void_event_is_news_and_an_older_status_is_not():
    picture = Picture()
    picture.apply(update(events=[{"id": "e", "version": 2}], agents=[{"id": "x", "version": 2}]))
    void = {"id": "e", "version": 3, "void": True}
    change = picture.apply(update(events=[void], agents=[{"id": "x", "version": 1}]))
    assert (len(change.events), len(change.agents)) == (1, 0)
    assert not picture.apply(update(events=[{"id": "e", "version": 2}, void])).events


def test_an_agent_missing_from_the_snapshot_is_removed():
    picture = Picture()
    picture.apply(update(agents=[{"id": "gone", "version": 4}, {"id": "back", "version": 4}]))
    asked = picture.ask()
    picture.apply(update(agents=[{"id": "back", "version": 5}]))  # while the snapshot is on its way
    picture.take_snapshot(Asked({}, {}), [], position=9)
    picture.take_all_agents(asked, [{"id": "new", "version": 1}])
    assert set(picture.agents) == {"back", "new"} and picture.has_doubt
    picture.take_snapshot(Asked({}, {}), [], position=9)
    picture.take_all_agents(picture.ask(), [{"id": "new", "version": 1}])
    assert set(picture.agents) == {"new"} and not picture.has_doubt
    picture.apply(update(agents=[{"id": "gone", "version": 5}], position=8))  # sent before, come after
    assert picture.has_doubt


def test_a_poll_is_taken_by_version_and_a_call_that_left_is_gone():
    picture = Picture()
    picture.apply(update(call("a", 3), call("b", 5), position=4))
    picture.take_changes([call("a", 2), call("c", 1)], [{"id": "b", "version": 4}], [], 8)
    assert set(picture.calls) == {"a", "b", "c"} and picture.calls["a"]["version"] == 3
    picture.take_changes([], [{"id": "b", "version": 6}], [], 7)
    assert set(picture.calls) == {"a", "c"} and picture.position == 8


@given(st.permutations(VIEWS), st.lists(st.integers(0, len(VIEWS)), max_size=4))
def test_frames_and_polls_in_any_order_end_in_one_picture(views, places):
    picture = Picture()
    for number, view in enumerate(views):
        if number in places:
            picture.take_changes([LIVES["open"][-1], LIVES["over"][-1]], [], [], number)
        picture.apply(update(view, position=number))
    assert picture.calls == {"open": LIVES["open"][-1]}


def test_it_resumes_before_a_frame_that_overtook_another():
    resume = ResumePoint()
    resume.saw(10, at=0)  # subscribed
    resume.saw(30, at=10)  # the frame with 20 is still on its way
    assert resume.since() == 10  # however long ago that was: the line may have died right then
    resume.saw(40, at=15)
    assert resume.since() == 30
    resume.whole(50)
    assert resume.since() == 50
