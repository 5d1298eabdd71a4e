"""Studies: models compared over several configurations and seeds.

A *study* is described in TOML or by flags (:mod:`~spinn.studies.study`). A *row* is one of its
configurations, a *run* is one row trained with one seed, and a *reference* is a published or
expected accuracy. :mod:`~spinn.studies.expansion` lists the runs, ``runner``, ``launcher`` and
``worker`` train them on this machine and ``slurm`` on a cluster, ``measurement`` stores their
predictions, ``statistics`` and ``summary`` compare rows, ``tables``, ``figures`` and ``overview``
present them, and ``collect`` keeps the results of the studies in ``catalogue`` that come with the
package.
"""
