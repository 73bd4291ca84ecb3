from echoplane.models.registry import NETWORKS, build
from echoplane.models.weights import fine_tune_from
from echoplane.training.summary import summarise


def test_a_network_fits_on_a_page_and_adds_up() -> None:
    for name in ("cnn3d", "compact3d", "resnext3d-50"):
        network = build(name, 6)
        text = summarise(network, (16, 64, 64))
        assert len(text.splitlines()) < 50
        assert f"{NETWORKS[name].parameters:,} parameters" in text
        assert not any(module._forward_hooks for module in network.modules())


def test_what_is_frozen_is_said() -> None:
    network = build("compact3d-s", 6)
    fine_tune_from(network, "head")
    text = summarise(network, (10, 112, 112))
    assert text.count("frozen") >= 5
    assert "774 of them learn" in text
