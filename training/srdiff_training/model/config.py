"""The sizes of an SRDiff network."""

from __future__ import annotations

from dataclasses import dataclass

from srdiff.errors import OptionError

from .families import FAMILIES, Family


@dataclass(frozen=True)
class NetworkConfig:
    """Everything that shapes the networks.

    Attributes:
        family: name of the code base whose networks these are, see :mod:`.families`.
        scale: side of the result over side of the input.
        encoder_channels, encoder_blocks, encoder_growth: width, number of RRDBs and growth of their dense blocks.
        encoder_bias: whether the dense blocks' convolutions have a bias.
        unet_channels, unet_mults: base width of the UNet and its multiple per level.
        up_input: a 3x3 convolution of lr_up is added at full resolution.
        use_attn: linear attention between the two middle blocks.
        fidelity: a second last convolution, whose result is nearest to the truth; see :class:`.unet.UNet`.
    """

    family: str
    scale: int = 4
    encoder_channels: int = 64
    encoder_blocks: int = 8
    encoder_growth: int = 32
    encoder_bias: bool = False
    unet_channels: int = 64
    unet_mults: tuple[int, ...] = (1, 2, 4, 8)
    up_input: bool = False
    use_attn: bool = False
    fidelity: bool = False

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise OptionError(f"family is {self.family!r}; choose one of {', '.join(FAMILIES)}")
        if self.scale < 2:
            raise OptionError(f"scale is {self.scale}; SRDiff enlarges by 2 or more")
        if self.encoder_blocks < 2:
            raise OptionError(f"the encoder has {self.encoder_blocks} RRDBs; the UNet needs the features of 2 or more")
        if min(self.encoder_channels, self.encoder_growth, *self.unet_mults) < 1 or self.unet_channels < 4:
            raise OptionError("a width is too small; encoder widths start at 1 and the UNet's at 4 channels")
        if self.unet_mults[:1] != (1,):
            raise OptionError(f"the UNet's widths are {self.unet_mults} times its base; the first must be 1")
        if self.unet_channels % 2:
            raise OptionError(f"the UNet has {self.unet_channels} channels; the time embedding needs an even number")

    @property
    def record(self) -> Family:
        """What tells this family from the others."""
        return FAMILIES[self.family]

    @property
    def feature_channels(self) -> int:
        """Channels of the encoder's concatenated features: every third of its blocks' outputs."""
        return self.encoder_channels * ((self.encoder_blocks + 1) // 3)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each UNet level, finest first."""
        return tuple(self.unet_channels * mult for mult in self.unet_mults)

    @property
    def least_parameters(self) -> int:
        """Fewer numbers than the networks have, and not many fewer: the largest convolutions alone."""
        kernel = 2 * self.scale - self.record.cond_kernel_less
        dense = self.encoder_channels * self.encoder_growth + (self.encoder_channels + 4 * self.encoder_growth)
        blocks = 27 * self.encoder_blocks * max(dense, self.encoder_channels**2)
        return 27 * sum(width**2 for width in self.widths) + blocks + kernel**2 * self.unet_channels

    @property
    def hr_multiple(self) -> int:
        """What the sides of the result must divide by: two per downsampling."""
        return 2 ** (len(self.unet_mults) - 1)

    @property
    def hr_minimum(self) -> int:
        """Smallest side of the result: a mirrored border needs two pixels at the coarsest level."""
        return self.hr_multiple * (2 if self.record.reflect else 1)

    @property
    def time_bias_channels(self) -> int:
        """Widths of all residual blocks together: two per level going down, two in the middle, two per level up."""
        return 2 * sum(self.widths) + 2 * self.widths[-1] + 2 * sum(self.widths[:-1])
