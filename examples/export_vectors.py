"""Write the vectors of a library and the paths of its pictures for NumPy: export_vectors.py data/demo vectors.npz."""

import sys

import numpy as np

import xuntu

folder, file = sys.argv[1:]
with xuntu.open(folder) as library:
    ids, vectors = library.vectors()
    paths = {picture.id: picture.place for picture in library}
np.savez(file, ids=ids, vectors=vectors, paths=np.array([paths[image_id] for image_id in ids.tolist()]))
print(f"{len(ids)} vectors of {vectors.shape[1]} numbers in {file}")
