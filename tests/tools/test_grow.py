import grow
import pytest
import torch
from safetensors.torch import load_file, save_file

from echoplane.models.compact3d import Compact3d


def test_a_grown_network_answers_as_before_and_can_learn_more(tmp_path, monkeypatch):
    torch.manual_seed(0)
    middle = Compact3d(4, "m")
    save_file(middle.state_dict(), tmp_path / "best.safetensors")
    monkeypatch.setattr("sys.argv", ["grow.py", str(tmp_path), "l", str(tmp_path / "l.safetensors")])
    assert grow.main() == 0
    large = Compact3d(4, "l")
    large.load_state_dict(load_file(tmp_path / "l.safetensors"))
    clips = torch.randn(2, 1, 4, 32, 32)
    torch.testing.assert_close(large.eval()(clips), middle.eval()(clips))
    large.train()(clips).square().sum().backward()
    assert large.head.weight.grad[:, 160:].abs().max() > 0


def test_more_blocks_change_nothing_until_they_learn():
    torch.manual_seed(0)
    large = Compact3d(4, "l").eval()
    for parameter in large.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    larger = Compact3d(4, "xl").eval()
    larger.load_state_dict(grow.grow(large.state_dict(), larger.state_dict()))
    clips = torch.randn(2, 1, 4, 32, 32)
    torch.testing.assert_close(larger(clips), large(clips))
    larger.train()(clips).square().sum().backward()
    added = [larger.features[number].norm2.weight.grad.abs().max() for number in (5, 6)]
    assert min(added) > 0


def test_weights_without_a_place_in_the_larger_network_are_refused():
    with pytest.raises(SystemExit, match="no place"):
        grow.grow(Compact3d(4, "l").state_dict(), Compact3d(4, "s").state_dict())
