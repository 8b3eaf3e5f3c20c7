"""The scoring protocols by name: which window, which data range, which SSIM, in the words that reports print."""

from collections.abc import Mapping

from medp2p.evaluation.protocol import Protocol

_ERRORS = "MAE = mean |p - g| and ME = mean (p - g) over the region, not clipped; ME is positive where p is too bright"
_MASKED_SSIM = (
    "SSIM: both images clipped to the window and set to its low end outside the region, shifted to start at 0; 3-D, "
    "uniform window 7 x 7 x 7, sample covariance, K1 0.01, K2 0.03; mean over the region, 3 voxels of border left out"
)
_MS_SSIM = (
    "MS-SSIM: five levels, luminance, contrast and structure with weights .0448 .2856 .3001 .2363 .1333 at each, "
    "axes shorter than 97 voxels padded with their edge, mean over the region at every level, product of the levels"
)
_PERCENTILES = (
    "data range R = P99.5(g) - P0.5(g) over the body; PSNR and SSIM see both images clipped to these percentiles"
)

protocols: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "synthrad2023",
            "SynthRAD2023 challenge, synthetic CT in HU",
            (
                "window -1024 to 3000 HU, data range R = 4024",
                _ERRORS,
                "PSNR = 10 log10(R^2 / MSE) over the region, both images clipped to the window",
                _MASKED_SSIM,
            ),
            window=(-1024.0, 3000.0),
            hu=True,
            has_ms_ssim=False,
        ),
        Protocol(
            "synthrad2025",
            "SynthRAD2025 challenge, synthetic CT in HU",
            (
                "window -1024 to 3071 HU, data range R = 4095",
                _ERRORS,
                "PSNR = 10 log10(R^2 / MSE) over the region, both images clipped to the window",
                _MS_SSIM,
                _MASKED_SSIM + " (not part of the challenge)",
            ),
            window=(-1024.0, 3071.0),
            hu=True,
        ),
        Protocol(
            "mr",
            "scans without an absolute scale",
            (
                "the prediction is first multiplied by s = sum(p g) / sum(p p) over the body",
                _PERCENTILES,
                _ERRORS + "; both are fractions of R",
                "PSNR = 10 log10(R^2 / MSE) over the region",
                _MASKED_SSIM,
                _MS_SSIM,
            ),
            hu=False,
            fitted=True,
            relative=True,
        ),
        Protocol(
            "mr_raw",
            "scans without an absolute scale, prediction taken as it is",
            (
                _PERCENTILES,
                _ERRORS + "; both in the scan's own units",
                "PSNR = 10 log10(R^2 / MSE) over the region",
                _MASKED_SSIM,
                _MS_SSIM,
            ),
            hu=False,
        ),
        Protocol(
            "skimage",
            "scikit-image's defaults, for comparison with papers",
            (
                "nothing is clipped; data range R = 4095 for HU, else P99.5(g) - P0.5(g) over the body",
                _ERRORS,
                "PSNR = 10 log10(R^2 / MSE) over the region",
                "SSIM: mean over the region of the whole image's map; 3-D, uniform window 7 x 7 x 7, sample "
                "covariance, K1 0.01, K2 0.03; 3 voxels of border left out",
            ),
            ssim="whole",
            has_ms_ssim=False,
        ),
        Protocol(
            "monai",
            "MONAI's defaults over the whole image, for comparison with papers",
            (
                "no mask, nothing is clipped",
                "max_val = data_range = R = 4095 for HU, else P99.5(g) - P0.5(g) over the body",
                "MAE, ME and PSNR (PSNRMetric) over every voxel",
                "SSIM (SSIMMetric): Gaussian window 11 x 11 x 11, sigma 1.5, population covariance, valid windows",
                "MS-SSIM (MultiScaleSSIMMetric): five levels of that; it needs 176 voxels along each axis",
            ),
            ssim="monai",
        ),
        Protocol(
            "picture",
            "pictures of 8 or 16 bits, scikit-image's definitions",
            (
                "data range R = 255 for 8 bits, 65535 for 16; nothing is clipped; without a mask the body is the whole",
                _ERRORS + "; in grey levels, over all colours",
                "PSNR = 10 log10(R^2 / MSE) over the region and all colours",
                "SSIM: mean over the region of the whole picture's map; 2-D, uniform window 7 x 7, sample covariance, "
                "K1 0.01, K2 0.03; 3 pixels of border left out; mean over the colours",
            ),
            hu=False,
            ssim="flat",
            has_ms_ssim=False,
        ),
    )
}
"""Every protocol by its name."""
