"""The words that are kept of a log: those of registries, of their clients, of CodeBuild and of AWS, in their errors.

Data, in lower case and sorted. From published error lines, from the error codes of the distribution specification
(https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes), of gRPC, of the ECR and the
CodeBuild documentation. They are words of messages: no name of a person, a product or a project of somebody's own.
"""

from __future__ import annotations

_WORDS = """
a about above abuse accept access accessdenied accessdeniedexception account accountlimitexceededexception accounts
acr across action actions add added address after again against all allow allowed allows already already_exists also
always amazon amazonaws amd64 an and anonymous another any api apierror apptainer are arguments arm arm64 arn
artifactory as ask asked assume assumed assumed-role assumes at attach attempt attempts attestation auth
authenticate authenticated authenticating authentication authority authorization authorize authorized authorizer
available aws awscodebuild awscurrent awspending awsprevious back bad badrequest base basic bazel be bearer because
been before begin beginning being below between blob blob_unknown blob_upload_invalid blob_upload_unknown blobs body
both boundaries boundary broken bucket buckets build build_container_unable_to_pull_image build_timed_out buildah
builder building buildkit buildkitd buildpack buildx but by bytes cache cached called calling can canceled cancelled
cannot cannotpullcontainer cannotpullcontainererror cannotpullimagemanifesterror case caused certificate change
changed character check checked checks ciphertext client client_error close closed cloudformation cloudwatch cmk cnb
code codebuild codepipeline codestar cognito command command_execution_error commands complete completed compose
condition conditions config configuration configured conflict conmon connect connected connecting connection
container containerd containerfetchexception containerlaunchexception containers content context continue copied
copy copying cosign could crane create created creating credential credentials cri-o criu current customer
customer-managed daemon data day deadline deadline_exceeded deadlineexceeded debug decode decoded decrypt decrypted
decryption decryptionfailure default definition delay delete deletion denied denies deny denying dependencies deploy
deployment desc describe description detail details detected dial did different digest digest_invalid digests dind
directory disabled dns do docker docker-compose docker-hub docker-java docker-py docker-ratelimit-source
dockerapiexception dockerclientexception dockerd dockerfile dockerode doctype does doesn done down download
download-rate-limit download_source downloaded downloading driver due during each ec2 ecr ecs either eks empty
enable enabled encrypted encryption end ended endpoint ends engine entry environment eof err errimagepull error
errordetail errors even event exceed exceeded exceeds except exception execute executed executing execution
executionexception exist existing exists exit exited expected expired expiredtoken expiredtokenexception explicit
export exporter exporting extract extracting fabric8 fail failed failed_precondition failedprecondition failing
fails failure false fargate fata fatal fault fetch fetched fetching field file files filter finalizing find first
flag following for forbidden form format found from frontend full function further gar gateway gave gcr generate
generated generating get getsecretvalue getting ghcr gitlab give given gmt go goal google goroutine got gpu grant
granted grants had handler handshake hap429 harbor has have having head header headers helm help here host hostname
hosts hour hours how html http httpreaderseeker httpreadseeker https hub hub-feedback i/o iam id identifier
identity-based if image imagebuildexception imagenotfoundexception imagepull imagepullbackoff images implicit import
importing in incorrect increase increase-rate-limit increase-rate-limits index info information initialize
initializing input inspect install instance internal internal_error internal_server_error internalerror
internalfailure internalservererror internalservererrorexception internalserviceerror interval into invalid
invalid_buildspec invalid_input invalidargument invalidinputexception invalidparameterexception
invalidrequestexception invoke ioexception ip ipv4 ipv6 is issue issuer it its java javascript jib jib-maven-plugin
job json just kaniko key keys kind kms kmsaccessdenied ko kubelet kubernetes lambda last later latest layer layers
left length level library lifecycle lifecycleexecutionexception limit limited limitexceededexception limits line
linux list listen ll load loaded loading local localhost locally location log logged login logins logs looking
lookup made main malformed manager manifest manifest-list manifest_blob_unknown manifest_invalid manifest_unknown
manifest_unverified manifests many map marked match matching maven max maximal maximum may media mediatype message
messages metadata method millisecond milliseconds minimum minute minutes missing moby mount moved msg multi-arch
multi-platform must mvn n name name_invalid name_unknown named names namespace need needed neither nerdctl network
new next nexus nginx no node none nor nosuchbucket nosuchkey not notfound notfoundexception nothing notice now npm
null number oauth oauth2 object occurred oci of off older on once one only open opened operation option options or
oras organization organizations origin os other out over overlay overlay2 overlayfs own pack package panic param
parameter parse parsing part password patch path peer per perform performed permission permission_denied
permissiondenied permissions permissions-boundary permitted phase ping pip pipe plain platform please plugin pod
podman pods policies policy port position possible post post_build ppc64le pre_build prepare present previous
principal principals private processing profile project provenance provisioning proxy public pull pull-access
pull-rate-limit pull-through pulled pulling pulls push pushed pushing put python quay queued quota quotas raise
range rate rateexceeded ratelimit ratelimit-limit ratelimit-remaining ratelimit-source re reach reached read reader
reading ready reason reauthenticate receive received recent recommended record redirect redirected refer reference
refresh refused regctl region regions registries registry registryauthenticationfailedexception registryexception
registryunauthorizedexception rejected remote remove removed repo repositories repository
repositorynotfoundexception request requested requests requesttimeout require required requires reset resolve
resolved resolver resolving resource resource-based resource_exhausted resourceexhausted resourcenotfoundexception
responded responds response response-code restarted result retried retries retrieve retry retry-after retrying
return returned returning role rotated rotation route rpc ruby run runc runner running ryuk s s3 s390x samcli same
sandbox say says scheduled schema scope scp second seconds secret secretid secretnotfound secrets secretsmanager
secretstring section see send sending sent server server-message service service-control
servicequotaexceededexception serviceunavailable session set setup severity sha256 shell should show shows side sign
signed singularity size size_invalid skaffold skip skipped skopeo slow slowdown snapshot snapshotter sns so solve
solving some something source source_error specified specifies sqs ssm stack stage staging start started state
status stderr stdout step still stop stopped storage store stream sts stuck submitted subscription succeeded success
such summary support supported swarm sync systems t tag tag_invalid tags take target task tcp temporarily temporary
testcontainers text than that the their them then there these they this throttle throttled throttling
throttlingexception through tilt time timed timed_out timeout timeoutexception times timestamp tls to token too took
tool toomanyrequests toomanyrequestsexception total trace traefik transport tried trivy true try trying ts turn type
types udp unable unauthenticated unauthorised unauthorized unauthorizedexception unavailable unexpected unhandled
unimplemented unknown unpack unpacking unpigz unprocessable unreachable unrecognized unrecoverable unsupported until
up update updated upgrade upgrading upload upload_artifacts uploading upstream uri url usage use used user username
users using utf-8 uuid v1 v2 valid validate validation value variable variables vault ve verify version versions
very via volume vpc vpce wait waiting warn warning was were what when where whether which while who why will windows
with within without worked works would wrong www x509 x86_64 xml yaml yaml_file_error yet you your yourself zero
"""
WORDS = frozenset(_WORDS.split())

_HOSTS = """
127.0.0.1 auth.docker.io docker.com docker.io docs.docker.com eu.gcr.io gcr.io ghcr.io hub.docker.com index.docker.io
k8s.gcr.io localhost mcr.microsoft.com nvcr.io production.cloudflare.docker.com public.ecr.aws quay.io
registry-1.docker.io registry.access.redhat.com registry.docker.io registry.gitlab.com registry.hub.docker.com
registry.k8s.io registry.npmjs.org registry.redhat.io us.gcr.io www.docker.com
"""
HOSTS = frozenset(_HOSTS.split())
"""Hosts that everybody knows. Another one is kept only where its address is that of a registry's interface."""

CLIENTS = (
    "com.github.dockerjava",
    "com.google.cloud.tools:jib-maven-plugin",
    "com.google.cloud.tools",
    "docker.dotnet",
    "docker.errors",
    "io.fabric8",
    "org.apache.maven",
    "org.testcontainers",
    "samcli",
    "testcontainers",
)
"""Parts of long names that tell which client pulled, the longer one first; the rest of such a name is masked."""

LOG_KEYS = ("code", "desc", "detail", "err", "error", "errors", "level", "message", "msg", "reason", "response")
"""Names whose values are words of the error: `desc = Error response`. Other names may stand before a secret."""
