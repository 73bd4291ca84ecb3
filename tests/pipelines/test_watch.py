"""A file that does not answer is named, once, while it is waited for."""

import threading

from echoplane.pipelines._watch import Watch


def test_what_is_waited_for_too_long_is_named_once():
    told, heard = [], threading.Event()

    def tell(name, seconds):
        told.append((name, seconds))
        heard.set()

    with Watch(tell, slow=0.01) as watch:
        watch.waits_for("dead/disk.dcm")
        assert heard.wait(30)
        heard.clear()
        watch.waits_for("another.dcm")
        assert heard.wait(30)
    assert [name for name, _ in told] == ["dead/disk.dcm", "another.dcm"]
    assert all(seconds >= 0.01 for _, seconds in told)


def test_what_has_come_is_not_named():
    told, heard = [], threading.Event()

    def tell(name, seconds):
        told.append(name)
        heard.set()

    with Watch(tell, slow=0.05) as watch:
        with watch._changed:  # so that nothing is too late in between, however long this thread is held up
            watch.waits_for("came.dcm")
            watch.waits_for("")
        assert not heard.wait(0.2)
        watch.waits_for("dead.dcm")
        assert heard.wait(30)
    assert told == ["dead.dcm"]
