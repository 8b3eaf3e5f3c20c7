"""What a user of a pix2pix repository writes to translate a scan: MONAI's transforms, nibabel, one slice at a time.

python -m benchmarks.user_script WEIGHTS.pth SCAN.nii.gz PREDICTED.nii.gz
"""

import sys

import nibabel as nib
import numpy as np
import torch
from monai.transforms import (
    Compose,
    EnsureChannelFirst,
    LoadImage,
    Orientation,
    ScaleIntensityRangePercentiles,
)

from benchmarks.peer import UNetGenerator


def main(weights: str, scan: str, predicted: str) -> None:
    prepare = Compose(
        [
            LoadImage(image_only=True),
            EnsureChannelFirst(),
            Orientation("RAS", labels=None),
            ScaleIntensityRangePercentiles(0.5, 99.5, -1, 1, clip=True),
        ]
    )
    generator = UNetGenerator(1, 1)
    generator.load_state_dict(torch.load(weights, weights_only=True))
    generator.eval()
    volume = prepare(scan)[0].as_tensor()
    made = np.empty(volume.shape, np.float32)
    with torch.no_grad():
        for k in range(volume.shape[2]):
            made[:, :, k] = generator(volume[None, None, :, :, k].mT)[0, 0].mT.numpy()
    hu = np.rint((made + 1) / 2 * 4095 - 1024).astype(np.int16)
    image = nib.load(scan)
    back = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.io_orientation(image.affine)
    )
    nib.save(nib.Nifti1Image(nib.orientations.apply_orientation(hu, back), image.affine), predicted)


if __name__ == "__main__":
    main(*sys.argv[1:])
