"""The order and number of frames do not change the replica, and the place to resume is safe. Pure."""

from hypothesis import given
from hypothesis import strategies as st

from infra.client import Replica
from infra.client.replica import HeldVersions
from infra.client.state import ResumePoint
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
    replica = Replica()
    for number, view in enumerate(frames):
        replica.apply(update(view, position=number))
    assert replica.calls == {"open": LIVES["open"][-1]}
    assert replica.ended == {"over": LIVES["over"][-1], "late": LIVES["late"][-1]}
    assert replica.position == len(frames) - 1


@given(st.permutations(VIEWS), st.integers(0, len(VIEWS)))
def test_a_snapshot_between_any_frames_gives_the_same_end(views, place):
    replica = Replica()
    for view in views[:place]:
        replica.apply(update(view))
    replica.apply_snapshot(replica.held_versions(), [LIVES["open"][-1]])
    for view in views[place:]:
        replica.apply(update(view))
    assert replica.calls == {"open": LIVES["open"][-1]}


def test_an_older_snapshot_overwrites_no_newer_call():
    replica = Replica()
    asked = replica.held_versions()
    replica.apply(update(call("a", 3, "active"), call("b", 2, "ended"), call("new", 1)))
    replica.apply_snapshot(asked, [call("a", 2), call("b", 1)])
    assert replica.calls == {"a": call("a", 3, "active"), "new": call("new", 1)}


def test_a_call_that_the_snapshot_lacks_has_ended_and_stays_so():
    replica = Replica()
    replica.apply(update(call("gone", 4), call("moving", 4)))
    asked = replica.held_versions()
    replica.apply(update(call("moving", 5)))  # while the snapshot is on its way
    replica.apply_snapshot(asked, [], position=9)
    assert set(replica.calls) == {"moving"} and replica.is_uncertain  # of before the snapshot or of after it?
    replica.apply(update(call("gone", 5), position=8))  # sent before, come after
    replica.apply_snapshot(replica.held_versions(), [], position=9)
    assert not replica.calls and not replica.is_uncertain


def test_an_unknown_call_in_an_old_frame_leaves_a_doubt():
    replica = Replica()
    replica.apply_snapshot(replica.held_versions(), [call("known", 1)], position=9)
    replica.apply(update(call("known", 2), call("over", 2, "ended"), position=9))
    replica.apply(update(call("new", 1), position=10))
    assert not replica.is_uncertain
    replica.apply(update(call("old", 1), position=9))
    assert replica.is_uncertain and set(replica.calls) == {"known", "new", "old"}


def test_a_call_that_leaves_the_topics_may_return():
    replica = Replica(follows=lambda call: call["queueId"] == "q")
    replica.apply(update(call("a", 1)))
    change = replica.apply(update(call("a", 3, queueId="foreign"), call("b", 1, queueId="foreign")))
    assert [view["id"] for view in change.calls] == ["a"] and not replica.calls
    replica.apply(update(call("a", 2)))  # sent before, come after
    assert not replica.calls
    replica.apply(update(call("a", 4)))
    assert replica.calls == {"a": call("a", 4)}


def test_an_unchanged_item_is_not_reported():
    replica = Replica()
    event, agent = {"id": "e1", "callId": "a"}, {"id": "x", "version": 2, "status": "away"}
    frame = update(call("a", 2), events=[event], agents=[agent])
    first, again = replica.apply(frame), replica.apply(frame)
    assert (len(first.calls), len(first.events), len(first.agents)) == (1, 1, 1)
    assert again == type(again)()


def test_a_void_event_is_news_and_an_older_status_is_not():
    replica = Replica()
    replica.apply(update(events=[{"id": "e", "version": 2}], agents=[{"id": "x", "version": 2}]))
    void = {"id": "e", "version": 3, "void": True}
    change = replica.apply(update(events=[void], agents=[{"id": "x", "version": 1}]))
    assert (len(change.events), len(change.agents)) == (1, 0)
    assert not replica.apply(update(events=[{"id": "e", "version": 2}, void])).events


def test_an_agent_missing_from_the_snapshot_is_removed():
    replica = Replica()
    replica.apply(update(agents=[{"id": "gone", "version": 4}, {"id": "back", "version": 4}]))
    asked = replica.held_versions()
    replica.apply(update(agents=[{"id": "back", "version": 5}]))  # while the snapshot is on its way
    replica.apply_snapshot(HeldVersions({}, {}), [], position=9)
    replica.apply_all_agents(asked, [{"id": "new", "version": 1}])
    assert set(replica.agents) == {"back", "new"} and replica.is_uncertain
    replica.apply_snapshot(HeldVersions({}, {}), [], position=9)
    replica.apply_all_agents(replica.held_versions(), [{"id": "new", "version": 1}])
    assert set(replica.agents) == {"new"} and not replica.is_uncertain
    replica.apply(update(agents=[{"id": "gone", "version": 5}], position=8))  # sent before, come after
    assert replica.is_uncertain


def test_a_poll_is_taken_by_version_and_a_call_that_left_is_gone():
    replica = Replica()
    replica.apply(update(call("a", 3), call("b", 5), position=4))
    replica.apply_changes([call("a", 2), call("c", 1)], [{"id": "b", "version": 4}], [], 8)
    assert set(replica.calls) == {"a", "b", "c"} and replica.calls["a"]["version"] == 3
    replica.apply_changes([], [{"id": "b", "version": 6}], [], 7)
    assert set(replica.calls) == {"a", "c"} and replica.position == 8


@given(st.permutations(VIEWS), st.lists(st.integers(0, len(VIEWS)), max_size=4))
def test_frames_and_polls_in_any_order_end_in_one_picture(views, places):
    replica = Replica()
    for number, view in enumerate(views):
        if number in places:
            replica.apply_changes([LIVES["open"][-1], LIVES["over"][-1]], [], [], number)
        replica.apply(update(view, position=number))
    assert replica.calls == {"open": LIVES["open"][-1]}


def test_it_resumes_before_a_frame_that_overtook_another():
    resume = ResumePoint()
    resume.add_frame(10, at=0)  # subscribed
    resume.add_frame(30, at=10)  # the frame with 20 is still on its way
    assert resume.since == 10  # however long ago that was: the line may have died right then
    resume.add_frame(40, at=15)
    assert resume.since == 30
    resume.add_read(50)
    assert resume.since == 50
