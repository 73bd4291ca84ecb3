import torch
from torch import nn

from echoplane.training.averaging import WeightMean


def test_is_the_running_mean_of_weights_and_statistics() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    mean = WeightMean(network, 0.5)
    expected = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for step in range(6):
        for parameter in network.parameters():
            nn.init.normal_(parameter)
        network(torch.randn(8, 3))
        mean.update(network)
        decay = min(0.5, (1 + step) / (10 + step))
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                expected[name] = decay * expected[name] + (1 - decay) * tensor
            else:
                expected[name] = tensor.clone()
    for name, tensor in mean.network.state_dict().items():
        torch.testing.assert_close(tensor, expected[name])
    assert not any(parameter.requires_grad for parameter in mean.network.parameters())
