"""What can be wrong with a job that a client asks for.

JobError
├─ JobNotFound                          no job has this id
├─ InvalidJob                           an option that its kind does not have, or that cannot be used
├─ RootNotAllowed                       a place that the operator has not named
├─ TooManyJobs                          as many wait as may
└─ NoDuplicatesReport                   no job has looked for duplicates yet, or the page is of an earlier report
"""

from models.foundation.errors import ImageSearchError
from models.foundation.messages import Readable, message


class JobError(ImageSearchError):
    """Something about a job."""

    code = "job_error"
    users_mistake = True


class JobNotFound(JobError):
    """No job has this id."""

    code = "job_not_found"

    def __init__(self, job_id: str) -> None:
        super().__init__(
            message(
                "There is no job {job_id}. See GET /v1/jobs; old ones are forgotten.",
                job_id=job_id,
            )
        )


class InvalidJob(JobError):
    """An option that its kind does not have, or that cannot be used."""

    code = "invalid_job"

    def __init__(self, option: str, why: Readable) -> None:
        super().__init__(message("{option}: {why}.", option=option, why=why))


class RootNotAllowed(JobError):
    """A place that the operator has not named. Whether anything is there is not said."""

    code = "root_not_allowed"

    def __init__(self, named: str) -> None:
        super().__init__(
            message(
                "{named} is no folder that jobs may read. Those are listed at GET /v1/roots; the operator names more "
                "in XUNTU_API__JOB_ROOTS.",
                named=named,
            )
        )


class TooManyJobs(JobError):
    """As many jobs wait as may."""

    code = "too_many_jobs"
    retry_after_s = 60

    def __init__(self, most: int) -> None:
        super().__init__(message("{most} jobs are waiting already. Try again when some of them are done.", most=most))


class NoDuplicatesReport(JobError):
    """No job has looked for duplicates yet, or the page that is asked for is of an earlier report."""

    code = "no_duplicates_report"

    def __init__(self, *, is_earlier: bool = False) -> None:
        super().__init__(
            message("This page is of an earlier report of duplicates. Begin with the first page again.")
            if is_earlier
            else message('Nobody has looked for duplicates yet. Ask for a job: POST /v1/jobs {{"kind": "duplicates"}}')
        )
